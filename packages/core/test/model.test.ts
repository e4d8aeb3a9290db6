import { expect, test } from 'vitest';
import { coreEyes } from './model/core-eyes.ts';
import { playHistories } from './model/histories.ts';

/** For MODEL_RUNS: the usual number of histories takes seconds. */
const HANGS_AFTER_MS = 7_200_000;

test(
  'in random histories the decisions keep what they promise: READY, marks, repairs, and what is told',
  async () => {
    const { ready, checks } = await playHistories(coreEyes, 400);
    // Histories in which nothing is ever READY would show little.
    expect(ready).toBeGreaterThan(checks / 10);
  },
  HANGS_AFTER_MS,
);
