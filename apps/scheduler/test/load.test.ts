import { type Chunk, type Gap, meets, parseSelectors } from '@vm-sync/core';
import { type ChunkOrder, connect, openQueue, PREFIX, QUEUES, Store } from '@vm-sync/queue';
import { startRedis, until } from '@vm-sync/testkit';
import { FlowProducer, type Job, UnrecoverableError, Worker } from 'bullmq';
import { expect, onTestFinished, test } from 'vitest';
import { FailedChunks } from '../src/failed-chunks.ts';
import { NO_WORK, Runs } from '../src/runs.ts';

const direction = { source: 'primary', destination: 'dr' } as const;
const MINUTE_MS = 60_000;

const chunkOf = (at: number, minutes = 1): Chunk => ({
  selectors: [
    `{__name__="connections_${at % 40}",pool="/Common/pool-${at % 7}"}`,
    // Every tenth names no metric.
    at % 10 === 0 ? `{instance="bigip-${at % 30}"}` : `load_${at % 3}{instance="bigip-${at % 30}"}`,
  ],
  window: { fromMs: at * MINUTE_MS, toMs: (at + minutes) * MINUTE_MS },
  series: 2,
  samples: 120,
});

const gapOf = (at: number): Gap => ({
  labels: {
    __name__: at % 2 === 0 ? `connections_${at % 40}` : `load_${at % 3}`,
    pool: `/Common/pool-${(at * 3) % 7}`,
    instance: `bigip-${(at * 7) % 30}`,
  },
  fromMs: ((at * 37) % 10_500) * MINUTE_MS - 30_000,
  toMs: ((at * 37) % 10_500) * MINUTE_MS + (at % 5) * MINUTE_MS,
  missing: 60,
  held: 0,
});

test('of ten thousand failed chunks those that a gap lies in are found, exactly as if each were looked at', () => {
  const orders = Array.from(
    { length: 10_000 },
    (_, at): ChunkOrder => ({
      runId: `run-${at % 20}`,
      direction,
      epoch: 1,
      recovery: false,
      // Some reach over many others.
      chunk: chunkOf(at, at % 500 === 0 ? 700 : 1 + (at % 3)),
      stepMs: MINUTE_MS,
      dedupMs: 0,
    }),
  );
  const failed = orders.map((data, at) => ({ id: `chunk-${at}`, data }) as unknown as Job);
  const selectors = orders.map(({ chunk }) =>
    chunk.selectors.flatMap((text) => parseSelectors(text)),
  );
  const isIn = (gap: Gap, at: number): boolean => {
    const { window } = (orders[at] as ChunkOrder).chunk;
    if (window.fromMs >= gap.toMs || gap.fromMs >= window.toMs) return false;
    return (selectors[at] ?? []).some((selector) => meets(selector, gap.labels));
  };
  const set = new FailedChunks({ ...NO_WORK, failed });
  const missing = new Set<number>();
  let covered = 0;
  for (const gap of Array.from({ length: 400 }, (_, at) => gapOf(at))) {
    const within = failed.flatMap((_, at) => (isIn(gap, at) ? [at] : []));
    for (const at of within) missing.add(at);
    expect(set.covers(gap)).toBe(within.length > 0);
    covered += Math.sign(within.length);
  }
  expect(covered).toBeGreaterThan(40);
  expect(covered).toBeLessThan(400);
  expect(set.moot()).toEqual(failed.filter((_, at) => !missing.has(at)));
}, 60_000);

test('a run whose chunks have failed rests, however many others have failed since', async () => {
  const server = await startRedis();
  onTestFinished(() => server.stop());
  const redis = connect(server.url, 'endless');
  onTestFinished(() => redis.disconnect());
  const [checks, repairs] = [openQueue('checks', redis), openQueue('repairs', redis)];
  const flows = new FlowProducer({ connection: redis, prefix: PREFIX });
  onTestFinished(
    async () => void (await Promise.all([checks, repairs, flows].map((one) => one.close()))),
  );
  const store = new Store(redis, () => undefined);
  const runs = new Runs(store, checks, repairs, flows);
  const start = (chunks: number, epoch: number) =>
    runs.start(
      {
        direction,
        backfillId: null,
        recovery: false,
        cause: { checkId: '1', reason: 'schedule', who: null },
        chunks: Array.from({ length: chunks }, (_, at) => chunkOf(at)),
        stepMs: MINUTE_MS,
        dedupMs: 0,
      },
      epoch,
      Date.now(),
    );
  const allFailed = () =>
    until('every chunk failed', async () => {
      const left = await repairs.getJobCountByTypes('waiting', 'active', 'prioritized');
      return left === 0;
    });
  const worker = new Worker(
    QUEUES.repairs,
    async () => {
      throw new UnrecoverableError('the destination takes nothing');
    },
    { connection: redis, prefix: PREFIX, concurrency: 50 },
  );
  onTestFinished(() => worker.close());

  const ours = await start(3, 2);
  await allFailed();
  for (let old = 0; old < 3; old++) await start(400, 1);
  await allFailed();
  const work = await runs.openWork(direction, 2);
  expect(work.failed.map(({ id }) => id)).toEqual([1, 2, 3].map((at) => `chunk-${ours.id}-${at}`));
  expect(work).toMatchObject({ inProgress: false, repairing: ours.windows, inHand: [] });
  expect(await repairs.getFailedCount()).toBe(1_203);
}, 60_000);
