import { CHUNK_OPTIONS, openQueue, PREFIX, QUEUES } from '@vm-sync/queue';
import type { Logger } from '@vm-sync/runtime';
import { until } from '@vm-sync/testkit';
import { Worker } from 'bullmq';
import { expect, onTestFinished, test } from 'vitest';
import { jobTitle } from '../src/job-title.ts';
import { type Bench, chunkOrder, silent, startBench } from './setup.ts';

const put = (bench: Bench, path: string) =>
  bench.get(`/queues/api/queues/${path}`, {
    method: 'PUT',
    headers: { 'sec-fetch-site': 'same-origin' },
  });

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
  expect(repairs.jobs[0].name).toMatch(/^dr → primary · .+ · 200 series$/);

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
  expect(lines).toContainEqual([
    'board action',
    {
      who: 'local (no login)',
      method: 'put',
      route: '/api/queues/:queueName/:jobId/retry',
      params: { queueName: 'repairs', jobId: 'chunk-1' },
      allowed: true,
    },
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
});

test('everything that loses or makes work is closed, with a sentence', async () => {
  const bench = await startBench();
  const { queue, stateOf } = startRepairs(bench);
  await queue.add('repair-chunk', chunkOrder('run-1'), { jobId: 'chunk-1', attempts: 1 });
  await until('a failed chunk', async () => (await stateOf('chunk-1')) === 'failed');
  const closed = [
    ['PUT', 'repairs/obliterate'],
    ['PUT', 'repairs/empty'],
    ['PUT', 'repairs/clean/failed'],
    ['PUT', 'repairs/chunk-1/clean'],
    ['PUT', 'repairs/chunk-1/remove-unprocessed-children'],
    ['PUT', 'repairs/concurrency'],
    ['PUT', 'repairs/rate-limit'],
    ['PUT', 'repairs/rate-limit/release'],
    ['PUT', 'checks/job-schedulers/check-gaps/run'],
    ['PUT', 'checks/job-schedulers/check-gaps/remove'],
    ['PATCH', 'checks/job-schedulers/check-gaps'],
    ['PATCH', 'repairs/chunk-1/update-data'],
    ['PATCH', 'repairs/chunk-1/delay'],
    ['PATCH', 'repairs/chunk-1/priority'],
    ['POST', 'repairs/add'],
  ] as const;
  for (const [method, path] of closed) {
    const { status, text } = await bench.get(`/queues/api/queues/${path}`, { method });
    expect([path, status]).toEqual([path, 403]);
    expect(JSON.parse(text).message).toContain('closed here');
  }
  expect((await put(bench, 'repairs/Obliterate')).status).toBe(403);
  expect(await stateOf('chunk-1')).toBe('failed');
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
  expect(title(nowMs)).toBe('dr → primary · 13:00–14:00 · 200 series');
  expect(title(nowMs + 86_400_000)).toBe('dr → primary · 2026-11-20 13:00–14:00 · 200 series');
  expect(jobTitle({ name: 'repair-chunk', data: null }, nowMs)).toBe('repair-chunk');
  expect(jobTitle({ name: 'check-gaps', data: { cause: 'schedule' } }, nowMs)).toBe(
    'check-gaps (schedule)',
  );
  expect(jobTitle({ name: 'settle-run', data: { runId: 'r1' } }, nowMs)).toBe('settle-run (r1)');
  expect(jobTitle({}, nowMs)).toBe('');
});
