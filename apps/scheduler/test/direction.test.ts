import { EMPTY_STATE, NO_DIRECTION, type SyncState } from '@vm-sync/core';
import type { Job } from 'bullmq';
import { expect, test } from 'vitest';
import { confirmInMs } from '../src/direction.ts';
import { worthRetrying } from '../src/failed-chunks.ts';

const nowMs = 1_795_000_000_000;

const firstSeen = (agoMs: number, ttlMs: number, confirmed = false): SyncState => ({
  ...EMPTY_STATE,
  direction: {
    ...NO_DIRECTION,
    site: 'dr',
    epoch: 1,
    sinceMs: nowMs - agoMs,
    firstEqualMs: nowMs - agoMs,
    lastEqualMs: nowMs,
    ttlMs,
    confirmed,
  },
});

test.each<[string, SyncState, number | undefined]>([
  ['nothing to confirm', EMPTY_STATE, undefined],
  ['confirmed already', firstSeen(0, 30_000, true), undefined],
  ['a TTL that ends long before the next check', firstSeen(5_000, 30_000), 25_100],
  ['a TTL that has ended', firstSeen(50_000, 30_000), 0],
  ['the next check is soon enough', firstSeen(0, 90_000), undefined],
])('a check that confirms the direction is asked for: %s', (_, state, delayMs) => {
  expect(confirmInMs(state, nowMs, 120_000)).toBe(delayMs);
});

test('a chunk that another direction turned away is tried again once its own holds', () => {
  const chunk = (progress: object): Job =>
    ({ progress, attemptsStarted: 1, opts: { attempts: 8 }, finishedOn: nowMs - 1_000 }) as Job;
  const [turned, short, other] = [
    chunk({ bytes: 5, turned: true }),
    chunk({ short: true, turned: false }),
    chunk({}),
  ];
  const seen = { nowMs, moot: [], restarted: false };
  expect(worthRetrying([turned, short, other], seen)).toEqual([turned]);
});
