import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { EMPTY_STATE, type SyncState } from '@vm-sync/core';
import {
  damages,
  fuzz,
  mutate,
  mutateValue,
  temporaryFolder,
  valueDamages,
} from '@vm-sync/testkit';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { readStateFile, stateToFile, writeStateFile } from '../src/index.ts';

const atMs = Date.UTC(2026, 10, 26, 3);
const window = { fromMs: atMs - 3_600_000, toMs: atMs };
const direction = 'primary-to-dr';
const notice = {
  kind: 'ready',
  severity: 'info',
  text: 'FAILBACK READY',
  todo: '',
  atMs,
  details: { a: { b: [1] } },
} as const;

/** With something in every field. */
const FULL: SyncState = {
  ...EMPTY_STATE,
  lastCheckMs: atMs,
  lastSyncMs: atMs,
  consecutiveClean: 3,
  failbackReady: true,
  activeSite: 'primary',
  pin: { site: 'dr', untilMs: atMs, atMs },
  marks: {
    [direction]: { sinceMs: 0, throughMs: atMs, unproven: [window], earlier: [window] },
    'dr-to-primary': null,
  },
  history: {
    [direction]: {
      begunMs: 0,
      surveyedFromMs: 0,
      passDone: true,
      complete: false,
      differing: [window],
    },
    'dr-to-primary': null,
  },
  recentRepairs: [{ direction, window, settledMs: atMs }],
  countedRuns: ['r'],
  backfills: [
    {
      id: 'b',
      direction,
      window,
      match: ['{a="b"}'],
      requestedMs: atMs,
      who: 'anna',
      state: 'open',
      unproven: [window],
      samplesRepaired: 1,
      bytesCopied: 2,
      endedMs: null,
    },
  ],
  beyondRepair: [
    { direction, window, reason: 'source-retention', sinceMs: atMs, samplesMissing: 5 },
  ],
  stuck: {
    attempted: [
      {
        direction,
        window,
        selectors: '{a="b"}',
        samples: 1,
        times: 2,
        firstMs: atMs,
        lastMs: atMs,
        outcome: 'short',
        stuck: true,
        acknowledged: { who: 'anna', atMs },
      },
    ],
  },
  surplus: {
    [direction]: { counted: [], told: false },
    'dr-to-primary': {
      counted: [{ windows: [window], series: 1, samples: 2, countedMs: atMs }],
      told: true,
    },
  },
  reconcile: {
    id: 'x',
    direction: 'dr-to-primary',
    requestedMs: atMs,
    state: 'open',
    windows: [window],
    samplesRecovered: 3,
    endedMs: null,
  },
  conflicts: {
    buckets: [{ window, series: 1, samples: 2, unread: 0 }],
    example: { series: 'up', atMs, values: { primary: '1', dr: '2' } },
    told: true,
  },
  startedMs: { primary: atMs, dr: null },
  doubtMs: atMs,
  episode: { sinceMs: atMs, direction, samplesRepaired: 7 },
  reasons: ['because'],
  believed: { ...EMPTY_STATE.believed, withdrawal: { notice, sinceMs: atMs, byUnknown: false } },
};

const TEXT = JSON.stringify(stateToFile(FULL));

test('a state file of any kind is a state that can be written and read again, or damaged', () => {
  const path = join(temporaryFolder('fuzz'), 'state.json');
  const input = fc.oneof(
    fc.record({ bytes: damages }),
    fc.record({ value: valueDamages }),
    fc.record({
      text: fc.oneof(
        fc.json(),
        fc.string(),
        // Deep enough that writing it again would be one call too many.
        fc.constant(TEXT.replace('"b":[1]', `"b":${'['.repeat(100_000)}${']'.repeat(100_000)}`)),
      ),
    }),
  );
  return fuzz('state file', 1_000, input, async (one) => {
    const bytes =
      'bytes' in one
        ? mutate(Buffer.from(TEXT), one.bytes)
        : Buffer.from('text' in one ? one.text : JSON.stringify(mutateValue(FULL_FILE, one.value)));
    await writeFile(path, bytes);
    const read = await readStateFile(path).catch((error: Error) => {
      expect(error.message).toBe(`the state file ${path} is damaged`);
      return undefined;
    });
    if (!read) return;
    await writeStateFile(path, read);
    // There is no minus before zero in what is read again.
    expect(JSON.stringify(await readStateFile(path))).toBe(JSON.stringify(read));
    expect((await readFile(path, 'utf8')).length).toBeGreaterThan(100);
  });
});

const FULL_FILE: unknown = JSON.parse(TEXT);
