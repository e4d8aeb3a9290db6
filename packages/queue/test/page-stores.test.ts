import type { GapMap, GapMaps } from '@vm-sync/core';
import { startRedis } from '@vm-sync/testkit';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { CheckHistoryStore, connect, GapMapStore, type PastCheck } from '../src/index.ts';

let server: Awaited<ReturnType<typeof startRedis>>;
let redis: ReturnType<typeof connect>;
beforeAll(async () => {
  server = await startRedis();
  redis = connect(server.url, 'brief');
});
beforeEach(async () => {
  await redis.flushall();
});
afterAll(async () => {
  redis.disconnect();
  await server.stop();
});

const map: GapMap = {
  atMs: 1_000_000,
  direction: 'dr-to-primary',
  label: 'instance',
  basis: 'group',
  fromMs: 0,
  columnMs: 300_000,
  columns: 2,
  rows: [
    { group: 'a', expected: [5, 5], missing: [0, 5] },
    { group: null, expected: [9, 9], missing: [1, 0] },
  ],
};
const maps: GapMaps = { before: map, now: null, checkedMs: 2_000_000, sinceMs: 1_000_000 };

test('gap maps are read as they were kept; none before the first', async () => {
  const store = new GapMapStore(redis);
  expect(await store.load()).toBeUndefined();
  await store.save(maps);
  expect(await store.load()).toEqual(maps);
});

test('maps that cannot be read, or whose rows do not fit, are none', async () => {
  const store = new GapMapStore(redis);
  const damaged = { ...map, rows: [{ group: 'a', expected: [5], missing: [0, 5] }] };
  for (const text of ['{', '7', JSON.stringify({ ...maps, before: damaged })]) {
    await redis.set('{vmsync}:gap-maps', text);
    expect(await store.load()).toBeUndefined();
  }
});

test('the newest three hundred checks are kept, newest first, without what cannot be read', async () => {
  const store = new CheckHistoryStore(redis);
  expect(await store.list()).toEqual([]);
  const check = (atMs: number): PastCheck => ({
    atMs,
    outcome: 'unknown',
    samples: null,
    missing: null,
    tookMs: 12,
  });
  for (let at = 0; at < 310; at++) await store.add(check(at));
  await redis.lset('{vmsync}:checks', 1, 'not a check');
  const kept = await store.list();
  expect(kept).toHaveLength(299);
  expect(kept.slice(0, 2)).toEqual([check(309), check(307)]);
  expect(kept.at(-1)).toEqual(check(10));
});
