import { type Pace, startingPace } from '@vm-sync/core';
import { type RedisServer, startRedis, until } from '@vm-sync/testkit';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { connect, PaceStore } from '../src/index.ts';

let server: RedisServer;
let raw: Redis;
let client: ReturnType<typeof connect>;
let store: PaceStore;
beforeAll(async () => {
  server = await startRedis();
  raw = new Redis(server.url);
  client = connect(server.url, 'brief');
  store = new PaceStore(client);
});
afterAll(async () => {
  raw.disconnect();
  client.disconnect();
  await server.stop();
});
beforeEach(() => server.flushAll());

const site = { atMs: 5, usualMs: 12.5, waits: 1, rows: 2, slowRows: null };
const full: Pace = {
  copies: 3,
  bytesPerS: 50_000_000,
  stopped: true,
  reason: 'dr is read-only',
  restTicks: 2,
  memory: { primary: site, dr: { ...site, usualMs: null } },
};

test.each([full, startingPace({ maxCopies: 4, maxBytesPerS: null })])(
  'a pace comes back as it was',
  async (pace) => {
    await store.save(pace);
    expect(await store.load()).toEqual({ pace, governed: true });
  },
);

test('a pace that nobody renews is still known, but not governed any more', async () => {
  await store.save(full);
  const restMs = await raw.pttl('{vmsync}:pace-governed');
  expect(restMs).toBeGreaterThan(0);
  expect(restMs).toBeLessThanOrEqual(30_000);
  await raw.pexpire('{vmsync}:pace-governed', 1);
  await until('the end of its time', async () => (await store.load())?.governed === false);
  expect(await store.load()).toEqual({ pace: full, governed: false });
  await store.save(full);
  expect(await store.load()).toMatchObject({ governed: true });
});

test.each([
  '',
  'null',
  '{}',
  JSON.stringify({ ...full, copies: 0 }),
  JSON.stringify({ ...full, bytesPerS: -1 }),
])('a lost or damaged pace is none: %s', async (text) => {
  expect(await store.load()).toBeUndefined();
  await store.save(full);
  await raw.set('{vmsync}:pace', text);
  expect(await store.load()).toBeUndefined();
});

test('busy answers are counted by site, by any number of workers, and taken once', async () => {
  expect(await store.takeBusy()).toEqual({ primary: 0, dr: 0 });
  const other = connect(server.url, 'brief');
  try {
    const workers = [store, new PaceStore(other)];
    await Promise.all(
      Array.from({ length: 30 }, (_, at) => workers[at % 2]?.countBusy(at < 10 ? 'primary' : 'dr')),
    );
  } finally {
    other.disconnect();
  }
  expect(await store.takeBusy()).toEqual({ primary: 10, dr: 20 });
  expect(await store.takeBusy()).toEqual({ primary: 0, dr: 0 });
});

/** Redis' own clock. */
const redisMs = async () => {
  const [seconds, micros] = await raw.time();
  return Number(seconds) * 1000 + Number(micros) / 1000;
};

test('bytes that are booked have their turn one after another, at the rate that is asked for', async () => {
  const [rate, bytes] = [10_000_000, 1_000_000];
  const before = await redisMs();
  const waits = await Promise.all(Array.from({ length: 50 }, () => store.bookBytes(bytes, rate)));
  const took = (await redisMs()) - before;
  // 49 lots come before the last one; a tenth of a second was to be had at once.
  const last = Math.max(...waits);
  expect(last).toBeLessThanOrEqual(4_900);
  expect(last + took).toBeGreaterThanOrEqual(4_800);
  const sorted = [...waits].sort((a, b) => a - b);
  for (const [at, wait] of sorted.entries()) expect(wait).toBeLessThanOrEqual(at * 100);
});

test('time in which nothing was sent is not made up for', async () => {
  await store.bookBytes(1, 1_000_000);
  await raw.set('{vmsync}:bytes-paid-until', '1');
  await store.bookBytes(1_000_000, 1_000_000);
  expect(await store.bookBytes(1, 1_000_000)).toBeGreaterThan(0);
});

test('a booking leaves nothing behind when its time is over', async () => {
  await store.bookBytes(1_000_000, 1_000_000);
  const restMs = await raw.pttl('{vmsync}:bytes-paid-until');
  expect(restMs).toBeGreaterThan(0);
  expect(restMs).toBeLessThanOrEqual(2_000);
});
