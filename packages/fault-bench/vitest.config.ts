import { mergeConfig } from 'vitest/config';
import shared from '../../vitest.shared.ts';

export default mergeConfig(shared, {
  test: {
    // Limits are for what hangs, not for what is slow.
    testTimeout: 300_000,
    hookTimeout: 60_000,
    // A machine that is busy with other things may need a second try to be in time. What was found wrong is wrong: only
    // waits that ran out are tried again, never an assertion.
    retry: { count: 1, condition: /^waited [\d.]+ s for|^Test timed out|Address already in use/ },
    // Whole stacks of real processes, which mostly wait: many at a time, when the other projects are done.
    maxConcurrency: process.env['MATRIX'] === 'full' ? 8 : 4,
    maxWorkers: 4,
    sequence: { groupOrder: 1 },
  },
});
