import { expect, test } from 'vitest';
import {
  directionFrom,
  EMPTY_STATE,
  type History,
  makeWindow,
  NOTHING_TALLIED,
  type SyncState,
} from '../src/index.ts';
import { remaining } from '../src/remaining.ts';

const window = makeWindow(0, 3_600_000);
const reason = 'destination-retention';
const lost = { window, reason, sinceMs: 0, samplesMissing: null } as const;
const report = { direction: directionFrom('primary'), tallied: NOTHING_TALLIED } as Parameters<
  typeof remaining
>[1];

test('nothing remains where nothing is known to', () => {
  expect(remaining(EMPTY_STATE, report)).toEqual([]);
});

test('all that is still not equal is named, of this direction', () => {
  const history: History = {
    begunMs: 0,
    surveyedFromMs: 0,
    passDone: true,
    complete: true,
    differing: [window, makeWindow(7_200_000, 7_300_000)],
  };
  const state: SyncState = {
    ...EMPTY_STATE,
    beyondRepair: [
      { ...lost, direction: 'primary-to-dr' },
      { ...lost, direction: 'dr-to-primary' },
    ],
    history: { 'primary-to-dr': history, 'dr-to-primary': null },
  };
  const tallied = { ...NOTHING_TALLIED, tolerated: 1_234 };
  expect(remaining(state, { ...report, tallied })).toEqual([
    '1,234 samples within GAP_THRESHOLD',
    '1 window beyond repair',
    '2 windows of older history that differ',
  ]);
});
