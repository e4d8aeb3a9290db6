import { expect, test } from 'vitest';
import { playHistories } from '../../core/test/model/histories.ts';
import { stepsEyes } from './model-eyes.ts';

/** For MODEL_RUNS: the usual number of histories takes seconds. */
const HANGS_AFTER_MS = 7_200_000;

test(
  'in random histories checks and repairs keep what they promise: READY, marks, repairs, and what is told',
  async () => {
    const { ready, checks } = await playHistories(stepsEyes, 150);
    // Histories in which nothing is ever READY would show little.
    expect(ready).toBeGreaterThan(checks / 10);
  },
  HANGS_AFTER_MS,
);
