import { mergeConfig } from 'vitest/config';
import shared from '../../vitest.shared.ts';

export default mergeConfig(shared, {
  test: {
    // Limits are for what hangs, not for what is slow.
    testTimeout: 300_000,
    hookTimeout: 60_000,
    // Whole stacks of real processes, which mostly wait: beside those of the commands.
    maxConcurrency: 4,
    maxWorkers: 4,
    sequence: { groupOrder: 1 },
  },
});
