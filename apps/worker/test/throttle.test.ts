import { type Pace, type PaceLimits, startingPace } from '@vm-sync/core';
import { connect, PaceStore } from '@vm-sync/queue';
import { createLogger } from '@vm-sync/runtime';
import { type RedisServer, startRedis, until } from '@vm-sync/testkit';
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { Throttle } from '../src/throttle.ts';

const silent = createLogger('silent', 'worker', []);
const limits: PaceLimits = { maxCopies: 4, maxBytesPerS: null };
const unlimited: Pace = { ...startingPace(limits), copies: 4, reason: null };
const never = new AbortController().signal;

let redis: RedisServer;
let store: PaceStore;
beforeEach(async () => {
  redis = await startRedis();
  onTestFinished(() => redis.stop());
  store = openStore();
});

/** As a process has it: with a connection of its own that waits for Redis. */
function openStore(): PaceStore {
  const connection = connect(redis.url, 'endless');
  connection.on('error', () => {});
  onTestFinished(() => connection.disconnect());
  return new PaceStore(connection);
}

async function start(of: PaceLimits = limits): Promise<Throttle> {
  const throttle = await Throttle.start(openStore(), of, silent);
  onTestFinished(() => throttle.close());
  return throttle;
}

/** Sends parts one after another; answers with how long that took, by a clock that no test waits for. */
async function send(throttle: Throttle, parts: number, bytes: number): Promise<number> {
  const startedMs = performance.now();
  for (let at = 0; at < parts; at++) await throttle.take(bytes, never);
  return performance.now() - startedMs;
}

test('without a limit nothing is asked of Redis, and nothing waits', async () => {
  await store.save(unlimited);
  const throttle = await start();
  await redis.kill();
  await send(throttle, 1_000, 1e9);
});

describe('bytes per second', () => {
  test('hold for two workers together, with several copies each and parts of any size', async () => {
    const bytesPerS = 8_000_000;
    await store.save({ ...unlimited, bytesPerS });
    const workers = [await start(), await start()];
    const startedMs = performance.now();
    let sent = 0;
    const copy = async (worker: Throttle, parts: number, bytes: number) => {
      for (let at = 0; at < parts; at++) {
        await worker.take(bytes, never);
        sent += bytes;
        // However long a part took: at no moment more than the rate, a lot in advance for each copy, and a tenth of a second.
        const allowed = bytesPerS * ((performance.now() - startedMs) / 1000 + 0.1);
        expect(sent).toBeLessThanOrEqual(allowed + 4 * 2_000_000);
      }
    };
    await Promise.all(
      workers.flatMap((worker) => [copy(worker, 40, 100_000), copy(worker, 200, 40_000)]),
    );
    const tookS = (performance.now() - startedMs) / 1000;
    expect(sent).toBe(24_000_000);
    expect(sent / tookS).toBeLessThanOrEqual(bytesPerS * 1.1);
  });

  test('hold where a part is larger than what is sent in a second', async () => {
    await store.save({ ...unlimited, bytesPerS: 1_000_000 });
    expect(await send(await start(), 2, 2_000_000)).toBeGreaterThan(1_800);
  });

  test('are few when nobody governs: a lost pace is slow, never without a limit', async () => {
    const throttle = await start();
    expect(throttle.stopped).toBe(false);
    expect(await send(throttle, 20, 100_000)).toBeGreaterThan(1_500);
  });

  test('are never more than the setting when nobody governs', async () => {
    const throttle = await start({ ...limits, maxBytesPerS: 100_000 });
    expect(await send(throttle, 4, 50_000)).toBeGreaterThan(900);
  });

  test('are waited for only until the signal aborts', async () => {
    await store.save({ ...unlimited, bytesPerS: 1_000 });
    const throttle = await start();
    const abort = new AbortController();
    const first = throttle.take(1_000_000, never);
    first.catch(() => {});
    const second = throttle.take(1_000_000, abort.signal);
    abort.abort(new Error('lock lost'));
    await expect(second).rejects.toThrow('lock lost');
    await redis.kill();
    const third = throttle.take(1_000_000, AbortSignal.abort(new Error('shutdown')));
    await expect(third).rejects.toThrow('shutdown');
  });
});

test('a stop is heard of in the middle of a copy, and so is its end', async () => {
  await store.save(unlimited);
  const throttle = await start();
  await throttle.take(1, never);
  await store.save({ ...unlimited, stopped: true, reason: 'dr is read-only' });
  await until('the stop', () => throttle.stopped);
  await expect(throttle.take(1, never)).rejects.toMatchObject({
    kind: 'busy',
    message: 'repairs are stopped: dr is read-only',
  });
  await store.save(unlimited);
  await until('its end', () => !throttle.stopped);
  await throttle.take(1, never);
});

test('a wiped Redis makes it slow; the next pace counts again', async () => {
  await store.save(unlimited);
  const throttle = await start();
  await redis.flushAll();
  await until('the loss', async () => {
    await throttle.take(1, never);
    return (await bookings()) > 0;
  });
  await store.save({ ...unlimited, stopped: true, reason: 'x' });
  await until('the next pace', () => throttle.stopped);
});

/** How many keys say that bytes were booked. */
async function bookings(): Promise<number> {
  const connection = connect(redis.url, 'brief');
  try {
    return await connection.exists('{vmsync}:bytes-paid-until');
  } finally {
    connection.disconnect();
  }
}
