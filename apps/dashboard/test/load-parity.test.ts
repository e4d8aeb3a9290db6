import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { connect } from '@vm-sync/queue';
import { until } from '@vm-sync/testkit';
import { expect, onTestFinished, test } from 'vitest';
import { connectionsOf } from './connections-of.ts';
import type { Answered, Asked } from './load-client.ts';
import { type Bench, gapsStatus, readyStatus, startBench } from './setup.ts';

const PATHS = ['/healthz', '/parity/primary', '/parity/dr', '/parity/primary'];

/** A kept connection may be ended by the other side in the moment in which it is used again. */
const ONCE = { headers: { connection: 'close' } };

/** Asks a thousand times a second until it is stopped. */
async function startClient(url: string): Promise<{ stop(): Promise<Answered[]> }> {
  const asked: Asked = { url, paths: PATHS, perSecond: 1_000, connections: 50 };
  const client = new Worker(new URL('./load-client.ts', import.meta.url), { workerData: asked });
  onTestFinished(async () => void (await client.terminate()));
  await once(client, 'online');
  return {
    async stop() {
      const answered = once(client, 'message');
      client.postMessage('enough');
      return (await answered)[0];
    },
  };
}

/** When READY surely stood, and when it surely did not: from the acknowledged write to the beginning of the next one. */
interface Span {
  readonly ready: boolean;
  readonly fromNs: bigint;
  toNs: bigint;
}

/** Gives and withdraws READY again and again, each time for as long as somebody is answered a few times. */
async function changeReady({ store, get }: Bench, times: number): Promise<Span[]> {
  const spans: Span[] = [];
  for (let at = 0; at < times; at++) {
    const ready = at % 2 === 0;
    const last = spans.at(-1);
    if (last) last.toNs = process.hrtime.bigint();
    await store.saveStatus(ready ? readyStatus() : gapsStatus(['a gap has been found']));
    const fromNs = process.hrtime.bigint();
    spans.push({ ready, fromNs, toNs: fromNs });
    for (let asked = 0; asked < 4; asked++) await get('/parity/primary', ONCE);
    await sleep(50);
  }
  (spans.at(-1) as Span).toNs = process.hrtime.bigint();
  return spans;
}

/** Answers that were asked for and given within one span must say what held then; the others may say either. */
function judge(answers: readonly Answered[], spans: readonly Span[]) {
  const wrong: string[] = [];
  let judged = 0;
  for (const { path, status, body, sentNs, answeredNs } of answers) {
    if (path === '/healthz') {
      if (status !== 200) wrong.push(`${path}: ${status}`);
      continue;
    }
    if (status !== 200 && status !== 503) wrong.push(`${path}: ${status} ${body}`);
    const span = spans.find(({ fromNs, toNs }) => fromNs <= sentNs && answeredNs <= toNs);
    if (!span) continue;
    judged += 1;
    const wanted = span.ready ? 200 : 503;
    if (status !== wanted) wrong.push(`${path}: ${status} while READY was ${span.ready}: ${body}`);
  }
  return { wrong, judged };
}

test('a thousand requests a second: each parity is what held when it was asked, however often READY is withdrawn', async () => {
  const bench = await startBench();
  const client = await startClient(bench.dashboard.url);
  const others = askOthers(bench);
  const spans = await changeReady(bench, 16);
  await others.stop();
  const answers = await client.stop();
  const { wrong, judged } = judge(answers, spans);
  expect(wrong).toEqual([]);
  expect(judged).toBeGreaterThan(0);
  expect(others.statuses()).toEqual([200]);
}, 120_000);

test('a Redis that stops and goes on: what parity says is never older than the question', async () => {
  const bench = await startBench();
  const client = await startClient(bench.dashboard.url);
  let stopping = true;
  const stops = (async () => {
    while (stopping) {
      bench.redis.pause();
      await sleep(60);
      bench.redis.resume();
      await sleep(60);
    }
  })();
  const spans = await changeReady(bench, 12);
  stopping = false;
  await stops;
  const answers = await client.stop();
  const { wrong, judged } = judge(answers, spans);
  expect(wrong).toEqual([]);
  expect(judged).toBeGreaterThan(0);
}, 120_000);

test('without Redis a thousand requests a second are told so, and the process lives and is well when it is back', async () => {
  const bench = await startBench();
  await bench.store.saveStatus(readyStatus());
  const client = await startClient(bench.dashboard.url);
  await bench.redis.kill();
  await until('Redis to be missed', async () => (await bench.get('/readyz')).status === 503);
  const goneNs = process.hrtime.bigint();
  // Of what the client asks meanwhile something is asked after this, and answered before the end.
  for (let asked = 0; asked < 20; asked++) {
    for (const path of ['/healthz', '/parity/dr']) await bench.get(path, ONCE);
    await sleep(20);
  }
  const backNs = process.hrtime.bigint();
  await bench.redis.start();
  await until('Redis seen again', async () => (await bench.get('/readyz')).status === 200);
  const answers = await client.stop();
  const meanwhile = answers.filter(
    ({ sentNs, answeredNs }) => sentNs > goneNs && answeredNs < backNs,
  );
  const said = new Set(meanwhile.map(({ path, status }) => `${path} ${status}`));
  expect([...said].sort()).toEqual(['/healthz 200', '/parity/dr 503', '/parity/primary 503']);
  expect(answers.filter(({ status }) => typeof status !== 'number')).toEqual([]);
  await bench.store.saveStatus(readyStatus());
  expect((await bench.get('/parity/primary')).status).toBe(200);
});

test('many who ask in the same moment are answered by a few questions to Redis', async () => {
  const bench = await startBench();
  await bench.store.saveStatus(readyStatus());
  const many = (path: string, count: number) =>
    Promise.all(Array.from({ length: count }, async () => (await bench.get(path)).status));
  for (const path of ['/parity/primary', '/']) {
    await many(path, 1);
    const before = await commandsOf(bench);
    await many(path, 1);
    const between = await commandsOf(bench);
    // While Redis thinks, all of them come to ask.
    bench.redis.pause();
    const asked = many(path, 300);
    await until('all to be connected', async () => (await connectionsOf(bench)) >= 300, QUICKLY);
    bench.redis.resume();
    expect(new Set(await asked)).toEqual(new Set([200]));
    const ofAll = (await commandsOf(bench)) - between;
    expect(ofAll, path).toBeLessThan((300 * (between - before)) / 3);
  }
});

const QUICKLY = { everyMs: 10 };

/** What people look at meanwhile. */
function askOthers({ get }: Bench): { stop(): Promise<void>; statuses(): number[] } {
  const seen = new Set<number>();
  let asking = true;
  const asked = (async () => {
    while (asking) {
      for (const path of ['/', '/api/status', '/runs', '/metrics', '/queues/api/queues']) {
        seen.add((await get(path, ONCE)).status);
      }
    }
  })();
  return {
    async stop() {
      asking = false;
      await asked;
    },
    statuses: () => [...seen],
  };
}

async function commandsOf({ redis }: Bench): Promise<number> {
  const client = connect(redis.url, 'brief');
  try {
    const info = await client.info('stats');
    return Number(/^total_commands_processed:(\d+)/m.exec(info)?.[1]);
  } finally {
    client.disconnect();
  }
}
