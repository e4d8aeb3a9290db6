import {
  type Backfill,
  BackfillRefusedError,
  EMPTY_STATE,
  makeWindow,
  type SyncState,
  startBackfill,
} from '@vm-sync/core';
import { type RedisServer, startRedis } from '@vm-sync/testkit';
import type { Queue } from 'bullmq';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import {
  askForBackfill,
  askToChange,
  BackfillOrder,
  connect,
  DutyStore,
  loadProgress,
  openQueue,
  type RunRecord,
  type Status,
  Store,
} from '../src/index.ts';

let server: RedisServer;
let client: ReturnType<typeof connect>;
let checks: Queue;
let store: Store;
let dutyStore: DutyStore;
beforeAll(async () => {
  server = await startRedis();
  client = connect(server.url, 'brief');
});
afterAll(async () => {
  client.disconnect();
  await server.stop();
});
beforeEach(async () => {
  await server.flushAll();
  store = new Store(client, () => undefined);
  dutyStore = new DutyStore(client);
  checks = openQueue('checks', client);
});
afterEach(() => checks.close());

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;
const nowMs = Date.parse('2026-11-24T00:10:00Z');
const grid = { nowMs, stepMs: 300_000 };
const range = { window: makeWindow(nowMs - 72 * hourMs, nowMs - hourMs), match: ['{a="b"}'] };
const known: SyncState = { ...EMPTY_STATE, activeSite: 'primary' };
const begun = startBackfill(known, { id: 'b1', ...range, requestedMs: nowMs - 90_000 }).state;
const backfill = begun.backfills[0] as Backfill;

const orders = async () => (await checks.getJobs()).map(({ name, data }) => ({ name, data }));

describe('a wish', () => {
  test('becomes a job that carries the range', async () => {
    await store.saveState(known);
    const { id } = await askForBackfill({ store, checks, dutyStore }, range, grid);
    expect(id).toMatch(/^20261124T001000-[0-9a-f]{4}$/);
    expect(await orders()).toEqual([{ name: 'backfill', data: { action: 'start', id, ...range } }]);
    expect(BackfillOrder.parse((await orders())[0]?.data)).toMatchObject({ id });
  });

  test.each<[string, SyncState | undefined, RegExp]>([
    ['nothing is known', undefined, /no direction is known yet/],
    ['the active site is unknown', EMPTY_STATE, /no direction is known yet/],
    ['the same is at work', begun, /backfill b1 of the same range is open already/],
  ])('is refused, and nothing is asked for, when %s', async (_, state, sentence) => {
    if (state) await store.saveState(state);
    const asked = askForBackfill({ store, checks, dutyStore }, range, grid);
    await expect(asked).rejects.toThrow(BackfillRefusedError);
    await expect(asked).rejects.toThrow(sentence);
    expect(await orders()).toEqual([]);
  });

  test('only proves where another vm-sync repairs, which is named', async () => {
    await store.saveState(known);
    const other = { seenMs: nowMs, onDuty: true, fresh: true };
    await dutyStore.saveView({
      atMs: nowMs,
      role: 'primary',
      stance: 'watch',
      unable: null,
      other,
    });
    const { hint } = await askForBackfill({ store, checks, dutyStore }, range, grid);
    expect(hint).toBe("this vm-sync (primary's) watches, and dr's repairs: ask for it at dr");
    expect(await orders()).toHaveLength(1);
  });

  test('is cut at what both sites keep, and refused when nothing of it is left', async () => {
    await store.saveState(known);
    await store.saveStatus(statusWith(2 * dayMs));
    const { window } = await askForBackfill({ store, checks, dutyStore }, range, grid);
    expect(window).toEqual(makeWindow(nowMs - dayMs, nowMs - hourMs));
    const old = { ...range, window: makeWindow(nowMs - 9 * dayMs, nowMs - 5 * dayMs) };
    await expect(askForBackfill({ store, checks, dutyStore }, old, grid)).rejects.toThrow(
      /beyond repair/,
    );
    expect(await orders()).toHaveLength(1);
  });
});

test('a change is asked for by id; of what there is not, or has ended, it is refused', async () => {
  await store.saveState({
    ...begun,
    backfills: [backfill, { ...backfill, id: 'b2', state: 'done' }],
  });
  await askToChange({ store, checks }, 'b1', 'pause');
  expect(await orders()).toEqual([{ name: 'backfill', data: { action: 'pause', id: 'b1' } }]);
  const refused = (id: string) => askToChange({ store, checks }, id, 'cancel');
  await expect(refused('b2')).rejects.toThrow('backfill b2 is done');
  await expect(refused('b3')).rejects.toThrow('there is no backfill b3');
  expect(await orders()).toHaveLength(1);
});

const run = (id: string, more: Partial<RunRecord> = {}): RunRecord => ({
  id,
  direction: { source: 'primary', destination: 'dr' },
  epoch: 1,
  createdMs: nowMs - 30_000,
  backfillId: 'b1',
  recovery: false,
  cause: null,
  state: 'open',
  chunks: 4,
  series: 10,
  samplesPlanned: 4_000,
  windows: [makeWindow(nowMs - 3 * hourMs, nowMs - 2 * hourMs)],
  settledMs: null,
  samplesCopied: 0,
  bytesCopied: 0,
  ...more,
});
const chunk = { atMs: nowMs - 1_000, planned: 1_000, samples: 1_000, bytes: 2_000 };

describe('progress', () => {
  test('of nothing is nothing', async () => {
    expect(await loadProgress(store, undefined, nowMs)).toEqual({ runs: [], backfills: [] });
  });

  test('of a backfill goes on over its runs: the rate is that of all of them', async () => {
    const settled = run('r1', {
      createdMs: nowMs - 50_000,
      state: 'settled',
      settledMs: nowMs - 30_000,
      windows: [makeWindow(nowMs - 2 * hourMs, nowMs - hourMs)],
    });
    await store.saveRun(settled);
    await store.saveRun(run('r2'));
    await store.saveRun(run('other', { backfillId: null, createdMs: nowMs - 10_000 }));
    for (const at of [1, 2, 3, 4]) {
      await store.countChunk('r1', `c${at}`, { ...chunk, atMs: nowMs - 31_000 });
    }
    await store.countChunk('r2', 'c1', chunk);
    const { runs, backfills } = await loadProgress(store, begun, nowMs);
    expect(runs.map(({ run: { id }, progress }) => [id, progress.share])).toEqual([
      ['other', 0],
      ['r2', 0.25],
    ]);
    expect(backfills).toMatchObject([
      {
        backfill: { id: 'b1' },
        waits: null,
        share: { proven: 0 },
        progress: { chunksPlanned: 4, chunksDone: 1, samplesPerS: 100, leftMs: 30_000 },
      },
    ]);
    expect(backfills[0]?.share.provenOrRepaired).toBeCloseTo(1 / 71);
    const tried = { selectors: 'x', samples: 9, times: 2, firstMs: 1, lastMs: 2, stuck: true };
    const attempt = { ...tried, direction: 'primary-to-dr', outcome: 'done' } as const;
    const window = makeWindow(nowMs - 2 * hourMs, nowMs - 1.5 * hourMs);
    const stuck = { attempted: [{ ...attempt, window }] };
    const seen = await loadProgress(store, { ...begun, stuck }, nowMs);
    expect(seen.backfills[0]?.share.provenOrRepaired).toBeCloseTo(0.5 / 71);
  });

  test.each<[Partial<SyncState>, Partial<Backfill>, RegExp | null]>([
    [{}, {}, null],
    [{}, { state: 'paused' }, /paused: vm-sync backfill resume b1/],
    [{ activeSite: 'dr' }, {}, /waits until primary is the active site: now dr → primary/],
    [{ activeSite: 'unknown' }, {}, /waits until the active site is known/],
    [{ activeSite: 'dr' }, { state: 'done' }, null],
  ])('with %j and a backfill of %j it is said why it waits: %s', async (state, more, why) => {
    const backfills = [{ ...backfill, ...more }];
    const seen = await loadProgress(store, { ...begun, ...state, backfills }, nowMs);
    if (why === null) expect(seen.backfills[0]?.waits).toBeNull();
    else expect(seen.backfills[0]?.waits).toMatch(why);
    expect(seen.backfills[0]?.progress).toBeNull();
  });
});

/** A status in which both sites keep so much. */
function statusWith(retentionMs: number): Status {
  const view = (site: 'primary' | 'dr') => ({
    healthy: true as const,
    observation: { site, url: `http://${site}`, retentionMs },
  });
  return {
    atMs: nowMs,
    role: 'primary',
    checkIntervalMs: 1,
    cleanChecksWanted: 3,
    validUntilMs: nowMs,
    activeReason: 'pinned',
    outcome: 'clean',
    tookMs: 1,
    horizonMs: nowMs,
    sites: { primary: view('primary'), dr: view('dr') },
    tallied: null,
    state: known,
  };
}
