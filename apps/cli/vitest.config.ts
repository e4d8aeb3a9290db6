import { mergeConfig } from 'vitest/config';
import shared from '../../vitest.shared.ts';

export default mergeConfig(shared, {
  // Whole stacks of real processes, which mostly wait: some at a time; limits are for what hangs.
  test: { testTimeout: 180_000, hookTimeout: 60_000, maxConcurrency: 6 },
});
