import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { appRoutes } from '@bull-board/api/dist/routes.js';
import {
  AuditStore,
  CHUNK_OPTIONS,
  connect,
  KitStore,
  openQueue,
  PREFIX,
  QUEUES,
} from '@vm-sync/queue';
import type { Logger } from '@vm-sync/runtime';
import { type RedisServer, startRedis, until } from '@vm-sync/testkit';
import { Worker } from 'bullmq';
import express from 'express';
import { expect, onTestFinished, test } from 'vitest';
import { boardRouter } from '../src/board.ts';
import { OPEN_WRITES } from '../src/board-actions.ts';
import { closeContext, openContext } from '../src/context.ts';
import { rememberPerson } from '../src/http/person.ts';
import { jobTitle } from '../src/job-title.ts';
import {
  ask,
  type Bench,
  chunkOrder,
  configFor,
  noForecasts,
  silent,
  startBench,
} from './setup.ts';

const put = (bench: Bench, path: string) =>
  bench.get(`/queues/api/queues/${path}`, {
    method: 'PUT',
    headers: { 'sec-fetch-site': 'same-origin' },
  });

/** What the audit log says, oldest first. */
async function auditOf({ url }: Pick<RedisServer, 'url'>) {
  const connection = connect(url, 'brief');
  try {
    const lines = await new AuditStore(connection).list(100);
    return lines
      .reverse()
      .map(({ who, by, action, what, result }) => [who, by, action, what, result]);
  } finally {
    connection.disconnect();
  }
}

const LOCAL = 'local (no login)';

/** A repairs queue whose worker fails every job until told otherwise. */
function startRepairs(bench: Bench) {
  const connection = { url: bench.redis.url };
  const queue = openQueue('repairs', connection);
  const answer = { failing: true };
  const worker = new Worker(
    QUEUES.repairs,
    async () => {
      if (answer.failing) throw new Error('dr answered 503: try again later');
      return { outcome: 'repaired' };
    },
    { connection, prefix: PREFIX },
  );
  worker.on('error', () => undefined);
  onTestFinished(async () => {
    await worker.close();
    await queue.close();
  });
  const stateOf = async (id: string) => (await queue.getJob(id))?.getState();
  return { queue, answer, stateOf };
}

test('a failed chunk is retried over HTTP, alone and with all others', async () => {
  const lines: unknown[] = [];
  const log = { ...silent, info: (line: unknown, text: string) => lines.push([text, line]) };
  const bench = await startBench({ log: log as unknown as Logger });
  const { queue, answer, stateOf } = startRepairs(bench);
  const options = { ...CHUNK_OPTIONS, attempts: 1 };
  for (const jobId of ['chunk-1', 'chunk-2', 'chunk-3']) {
    await queue.add('repair-chunk', chunkOrder('run-1'), { ...options, jobId });
  }
  await until('three failed chunks', async () => (await queue.getFailedCount()) === 3);

  const listed = JSON.parse(
    (await bench.get('/queues/api/queues?activeQueue=repairs&status=failed&page=1')).text,
  );
  const repairs = listed.queues.find((one: { name: string }) => one.name === 'repairs');
  expect(repairs.description).toContain('chunk');
  const [job] = repairs.jobs;
  expect(job.name).toMatch(/^dr → primary · 200 series · .+$/);
  expect(job.externalUrl).toEqual({ displayText: 'Run', href: '/runs/run-1' });
  expect(job.data).toMatchObject({ direction: 'dr → primary', samples: 3_000, run: 'run-1' });

  answer.failing = false;
  expect((await put(bench, 'repairs/chunk-1/retry')).status).toBe(204);
  await until('the retried chunk', async () => (await stateOf('chunk-1')) === 'completed');
  expect(await stateOf('chunk-2')).toBe('failed');
  expect((await put(bench, 'repairs/retry/failed')).status).toBe(200);
  await until('all chunks', async () => (await queue.getCompletedCount()) === 3);

  const again = await put(bench, 'repairs/chunk-1/retry');
  expect(again.status).toBe(403);
  expect(again.text).toContain('only failed jobs');
  expect((await put(bench, 'repairs/retry/completed')).status).toBe(403);
  const chunk = expect.stringMatching(/^repairs: dr → primary · 200 series · .+ \(chunk-1\)$/);
  const onlyFailed = expect.stringContaining('only failed jobs');
  expect(await auditOf(bench.redis)).toEqual([
    [LOCAL, 'board', 'retry', chunk, 'done'],
    [LOCAL, 'board', 'retry', 'repairs: 2 failed jobs', 'done'],
    [LOCAL, 'board', 'retry', chunk, onlyFailed],
    [LOCAL, 'board', 'retry', 'repairs: all completed jobs', onlyFailed],
  ]);
  expect(lines).toContainEqual([
    'board action',
    { who: LOCAL, action: 'retry', what: chunk, result: 'done' },
  ]);
});

test('pausing and resuming is open', async () => {
  const bench = await startBench();
  const { queue } = startRepairs(bench);
  expect((await put(bench, 'repairs/pause')).status).toBe(200);
  expect(await queue.isPaused()).toBe(true);
  expect((await put(bench, 'repairs/resume')).status).toBe(200);
  expect(await queue.isPaused()).toBe(false);
  expect((await put(bench, 'pause')).status).toBe(200);
  expect((await put(bench, 'resume')).status).toBe(200);
  expect(await auditOf(bench.redis)).toEqual([
    [LOCAL, 'board', 'pause', 'repairs', 'done'],
    [LOCAL, 'board', 'resume', 'repairs', 'done'],
    [LOCAL, 'board', 'pause', 'all queues', 'done'],
    [LOCAL, 'board', 'resume', 'all queues', 'done'],
  ]);
});

test('what the board could not do is in the audit log with its reason', async () => {
  const bench = await startBench();
  const { queue, stateOf } = startRepairs(bench);
  await queue.add('repair-chunk', chunkOrder('run-1'), { jobId: 'chunk-1', attempts: 1 });
  await until('a failed chunk', async () => (await stateOf('chunk-1')) === 'failed');
  expect((await put(bench, 'repairs/nobody/retry')).status).toBe(404);
  // The job is there, and not delayed: BullMQ throws.
  expect((await put(bench, 'repairs/chunk-1/promote')).status).toBe(500);
  const [missing, thrown] = await auditOf(bench.redis);
  expect(missing?.slice(2)).toEqual(['retry', 'repairs: nobody', 'failed: job not found']);
  expect(thrown?.slice(2)).toEqual([
    'promote',
    expect.stringMatching(/^repairs: dr → primary/),
    expect.stringMatching(/^failed: .*delayed/),
  ]);
});

/** The writes of the board that is installed, with every parameter filled in. */
const WRITES = appRoutes.api.flatMap(({ method, route }) =>
  [method]
    .flat()
    .filter((one) => one !== 'get')
    .flatMap((one) => [route].flat().map((path) => ({ method: one, path }))),
);

const address = (path: string): string =>
  `/queues${path
    .replace(':queueName', 'repairs')
    .replace(':jobId', 'chunk-1')
    .replace(':queueStatus', 'failed')
    .replace(':schedulerId', 'check-gaps')}`;

test('of all routes that the installed board has for writing, only those of the list are open', async () => {
  const bench = await startBench();
  const { queue, stateOf } = startRepairs(bench);
  await queue.add('repair-chunk', chunkOrder('run-1'), { jobId: 'chunk-1', attempts: 1 });
  await until('a failed chunk', async () => (await stateOf('chunk-1')) === 'failed');
  // A route that was renamed would be closed without anybody having decided so.
  const known = WRITES.map(({ method, path }) => `${method} ${path}`);
  expect([...OPEN_WRITES].filter((one) => !known.includes(one))).toEqual([]);
  const closed = WRITES.filter(({ method, path }) => !OPEN_WRITES.has(`${method} ${path}`));
  expect(closed.length).toBeGreaterThan(12);
  const headers = { 'content-type': 'application/json', 'sec-fetch-site': 'same-origin' };
  const body = JSON.stringify({ name: 'x', data: {}, jobData: {}, force: true, concurrency: 1 });
  const tried = [
    ...closed.map(({ method, path }) => [method.toUpperCase(), address(path)] as const),
    // Spelt otherwise, and what no board knows.
    ['PUT', '/queues/api/queues/repairs/Obliterate'],
    ['PUT', '/queues/API/queues/repairs/empty/'],
    ['DELETE', '/queues/api/queues/repairs/chunk-1'],
    ['POST', '/queues/api/flows/bulk-remove'],
  ] as const;
  for (const [method, path] of tried) {
    const { status, text } = await bench.get(path, { method, headers, body });
    expect([method, path, status]).toEqual([method, path, 403]);
    expect(text).toContain('closed here');
  }
  expect(await stateOf('chunk-1')).toBe('failed');
  const lines = await auditOf(bench.redis);
  expect(lines).toHaveLength(tried.length);
  for (const line of lines) expect(line[4]).toContain('closed here');
  expect(lines.map(([, , action]) => action)).toContain('obliterate');
  expect(lines.map(([, , action]) => action)).toContain('update-data');
});

test('a viewer may look at the board, and changes nothing; who tried is noted', async () => {
  const redis = await startRedis();
  onTestFinished(() => redis.stop());
  const context = openContext(configFor(redis.url), silent, noForecasts);
  onTestFinished(() => closeContext(context));
  const app = express();
  app.use((request, _response, next) => {
    rememberPerson(request, { name: 'vera', role: 'viewer' });
    next();
  });
  app.use('/queues', ...boardRouter(context));
  const server = app.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  expect((await ask(`${url}/queues/api/queues`)).status).toBe(200);
  for (const { method, path } of WRITES) {
    const { status, text } = await ask(url + address(path), { method: method.toUpperCase() });
    expect([path, status]).toEqual([path, 403]);
    expect(text).toContain('viewers may only look');
  }
  expect(await context.queues.repairs.isPaused()).toBe(false);
  const lines = await auditOf(redis);
  expect(lines).toHaveLength(WRITES.length);
  for (const [who, , , , result] of lines) {
    expect(who).toBe('vera');
    expect(result).toContain('viewers may only look');
  }
});

test('the repair kit of a failed chunk is served as it is, and said to be absent where there is none', async () => {
  const bench = await startBench();
  const connection = connect(bench.redis.url, 'brief');
  onTestFinished(() => connection.disconnect());
  const kit = {
    failedMs: Date.now(),
    direction: { source: 'dr', destination: 'primary' },
    cause: 'primary could not be reached',
    advice: 'start it',
    flags: [],
    counts: { source: { samples: 5, why: null }, destination: { samples: null, why: 'no answer' } },
    commands: [{ what: 'count on dr', line: 'curl …' }],
    notes: [],
  } as const;
  await new KitStore(connection).save('chunk-1', kit);
  const { status, text } = await bench.get('/api/jobs/chunk-1/repair-kit');
  expect([status, JSON.parse(text)]).toEqual([200, kit]);
  const absent = await bench.get('/api/jobs/chunk-2/repair-kit');
  expect(absent.status).toBe(404);
  expect(JSON.parse(absent.text).error).toContain('has no repair kit');
  await connection.set('{vmsync}:kit:chunk-3', '{"cause":1}');
  expect((await bench.get('/api/jobs/chunk-3/repair-kit')).status).toBe(404);
});

test('jobs have names that people can read, whatever they carry', () => {
  const nowMs = Date.parse('2026-11-20T15:30:00Z');
  const order = chunkOrder('run-1', nowMs);
  const window = {
    fromMs: Date.parse('2026-11-20T13:00:00Z'),
    toMs: Date.parse('2026-11-20T14:00:00Z'),
  };
  const data = { ...order, chunk: { ...order.chunk, window } };
  const title = (now: number) => jobTitle({ name: 'repair-chunk', data }, now);
  expect(title(nowMs)).toBe('dr → primary · 200 series · 13:00–14:00');
  expect(title(nowMs + 86_400_000)).toBe('dr → primary · 200 series · 2026-11-20 13:00–14:00');
  const about = (text: unknown) => {
    const chunk = { ...data.chunk, about: text };
    return jobTitle({ name: 'repair-chunk', data: { ...data, chunk } }, nowMs);
  };
  expect(about('bigip-07')).toBe('dr → primary · bigip-07 · 13:00–14:00');
  // Nothing that is wrong with a name keeps a chunk from having one.
  expect(about('x'.repeat(10_000))).toBe('dr → primary · 200 series · 13:00–14:00');
  expect(about(7)).toBe('dr → primary · 200 series · 13:00–14:00');
  expect(jobTitle({ name: 'repair-chunk', data: null }, nowMs)).toBe('repair-chunk');
  expect(jobTitle({ name: 'check-gaps', data: { cause: 'schedule' } }, nowMs)).toBe(
    'check-gaps (schedule)',
  );
  expect(jobTitle({ name: 'settle-run', data: { runId: 'r1' } }, nowMs)).toBe('settle-run (r1)');
  expect(jobTitle({}, nowMs)).toBe('');
});
