import type { RepairKit } from '@vm-sync/core';
import {
  CHUNK_OPTIONS,
  type ChunkOrder,
  chunkId,
  type connect,
  KitStore,
  openQueue,
  PREFIX,
  QUEUES,
  type RunRecord,
  SETTLE_OPTIONS,
  Store,
  settleId,
} from '@vm-sync/queue';
import { until } from '@vm-sync/testkit';
import { FlowProducer, type Job, UnrecoverableError, Worker } from 'bullmq';
import { openRun } from './setup.ts';

type Client = ReturnType<typeof connect>;

/** What a destination that takes nothing makes of a chunk: the sentence, the counts, and what to do, as a worker writes it. */
const failureOf = ({ direction, chunk }: ChunkOrder): string =>
  [
    `repair ${direction.source} → ${direction.destination}, ${new Date(chunk.window.fromMs).toISOString()} to ${new Date(chunk.window.toMs).toISOString()}: ` +
      'primary (http://192.168.100.144:8428) answered 400 to /api/v1/import: cannot parse the request: too many labels; raise -maxLabelsPerTimeseries there, then retry',
    '',
    `source ${direction.source}: ${chunk.samples} samples; destination ${direction.destination}: 0 samples`,
    "commands to look at it by hand: in this job's log",
  ].join('\n');

/** Twenty names to a chunk and four labels to a name: a few kilobytes, as plans are. */
const selectorsOf = (run: number, chunk: number): string[] =>
  Array.from(
    { length: 20 },
    (_, at) =>
      `{__name__="f5_pool_member_connections_${at}",instance="bigip-${run}-${chunk}.example.net:443",job="bigip",pool="/Common/pool-${at % 7}"}`,
  );

/**
 * Runs whose chunks have all failed for good, through BullMQ as workers do it, each with its log and its repair kit. Answers with
 * the runs.
 */
export async function fillBoard(
  redis: Client,
  { runs: runCount, chunks }: { readonly runs: number; readonly chunks: number },
): Promise<RunRecord[]> {
  const store = new Store(redis, () => undefined);
  const kits = new KitStore(redis);
  const flows = new FlowProducer({ connection: redis, prefix: PREFIX });
  const repairs = openQueue('repairs', redis);
  const nowMs = Date.now();
  const runs = Array.from({ length: runCount }, (_, at) => ({
    ...openRun(`20261126T0300${String(at).padStart(2, '0')}-00ff`, nowMs - at * 1_000),
    chunks,
  }));
  try {
    for (const [at, run] of runs.entries()) {
      const orders = Array.from({ length: chunks }, (_, number) => orderOf(run, at, number, nowMs));
      await store.saveRun(run);
      await flows.add({
        name: 'settle-run',
        queueName: QUEUES.checks,
        data: { runId: run.id },
        opts: { ...SETTLE_OPTIONS, jobId: settleId(run.id) },
        children: orders.map((data, number) => ({
          name: 'repair-chunk',
          queueName: QUEUES.repairs,
          data,
          opts: { ...CHUNK_OPTIONS, jobId: chunkId(run.id, number + 1) },
        })),
      });
      await Promise.all(
        orders.flatMap((order, number) => {
          const id = chunkId(run.id, number + 1);
          const line = `${new Date(nowMs).toISOString()} try 1: failed: ${failureOf(order)}`;
          return [repairs.addJobLog(id, line), kits.save(id, kitOf(order, nowMs))];
        }),
      );
    }
    await failAll(redis);
  } finally {
    await Promise.all([flows.close(), repairs.close()]);
  }
  return runs;
}

/** Every chunk that waits is tried, and fails for good. */
export async function failAll(redis: Client): Promise<void> {
  const worker = new Worker(
    QUEUES.repairs,
    async (job: Job<ChunkOrder>) => {
      const error = new UnrecoverableError(failureOf(job.data));
      error.stack = error.message;
      throw error;
    },
    { connection: redis, prefix: PREFIX, concurrency: 100 },
  );
  const repairs = openQueue('repairs', redis);
  try {
    await until(
      'every chunk failed',
      async () => (await repairs.getJobCountByTypes('waiting', 'active', 'prioritized')) === 0,
      { deadlineMs: 120_000, everyMs: 20 },
    );
  } finally {
    await worker.close();
    await repairs.close();
  }
}

function orderOf(run: RunRecord, at: number, number: number, nowMs: number): ChunkOrder {
  const toMs = Math.floor(nowMs / 60_000) * 60_000 - (at * run.chunks + number) * 60_000;
  return {
    runId: run.id,
    direction: run.direction,
    epoch: run.epoch,
    recovery: run.recovery,
    chunk: {
      selectors: selectorsOf(at, number),
      window: { fromMs: toMs - 60_000, toMs },
      series: 20,
      samples: 1_200,
      about: `bigip-${at}-${number}`,
    },
    stepMs: 60_000,
    dedupMs: 0,
  };
}

const kitOf = ({ direction, chunk }: ChunkOrder, failedMs: number): RepairKit => ({
  failedMs,
  direction,
  cause: 'primary takes no series with so many labels',
  advice: 'raise -maxLabelsPerTimeseries at primary, then retry',
  flags: [{ site: direction.destination, name: '-maxLabelsPerTimeseries' }],
  counts: {
    source: { samples: chunk.samples, why: null },
    destination: { samples: 0, why: null },
  },
  commands: ['count at the source', 'count at the destination', 'copy'].map((what) => ({
    what,
    line: `curl -fsS "$LOCAL_VM_URL/api/v1/export" -d 'match[]=${chunk.selectors[0]}' -d start=${chunk.window.fromMs / 1_000} -d end=${chunk.window.toMs / 1_000}`,
  })),
  notes: ['set LOCAL_VM_URL and REMOTE_VM_URL first'],
});
