import { mergeConfig } from 'vitest/config';
import shared from '../../vitest.shared.ts';

export default mergeConfig(shared, {
  test: {
    // Limits are for what hangs, not for what is slow.
    testTimeout: 180_000,
    hookTimeout: 60_000,
    // Whole stacks of real processes, which mostly wait: many at a time, when the other projects are done.
    maxConcurrency: 4,
    maxWorkers: 3,
    sequence: { groupOrder: 1 },
  },
});
