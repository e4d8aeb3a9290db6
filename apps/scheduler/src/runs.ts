import { randomBytes } from 'node:crypto';
import {
  type Direction,
  directionKey,
  formatDirection,
  mergeWindows,
  type Window,
} from '@vm-sync/core';
import {
  BACKFILL_PRIORITY,
  CHUNK_OPTIONS,
  type ChunkOrder,
  QUEUES,
  type RunRecord,
  SETTLE_OPTIONS,
  type Store,
} from '@vm-sync/queue';
import type { Plan } from '@vm-sync/steps';
import type { FlowProducer, Job, Queue } from 'bullmq';

/** What is left of earlier runs. */
export interface OpenWork {
  /** True while regular chunks wait or are being copied: then nothing new is planned. */
  readonly inProgress: boolean;
  /** Backfills of which chunks wait or are being copied, or are paused, and what these repair; also cancelled ones. */
  readonly backfilling: ReadonlyMap<string, readonly Window[]>;
  readonly failed: readonly Job[];
  /** What open runs repair. */
  readonly repairing: readonly Window[];
}

export const NO_WORK: OpenWork = {
  inProgress: false,
  backfilling: new Map(),
  failed: [],
  repairing: [],
};

/** How many failed chunks are looked at, at the most. */
const FAILED_MOST = 1_000;

/** Runs: one plan's chunks and its settling, as a BullMQ flow and a record. */
export class Runs {
  readonly #store: Store;
  readonly #checks: Queue;
  readonly #repairs: Queue;
  readonly #flows: FlowProducer;

  constructor(store: Store, checks: Queue, repairs: Queue, flows: FlowProducer) {
    this.#store = store;
    this.#checks = checks;
    this.#repairs = repairs;
    this.#flows = flows;
  }

  /** The unfinished work of one direction's epoch. Runs of other epochs, and those whose jobs are gone, are closed. */
  async openWork(direction: Direction, epoch: number): Promise<OpenWork> {
    const failedJobs = await this.#repairs.getFailed(0, FAILED_MOST - 1);
    const failed: Job[] = [];
    const repairing: Window[] = [];
    const backfilling = new Map<string, readonly Window[]>();
    const isBackfilling = (id: string, { windows }: RunRecord) =>
      backfilling.set(id, [...(backfilling.get(id) ?? []), ...windows]);
    let inProgress = false;
    for (const run of await this.#store.unsettledRuns()) {
      const settle = await this.#checks.getJob(settleId(run.id));
      const ours = run.epoch === epoch && directionKey(run.direction) === directionKey(direction);
      if (run.state === 'cancelled') {
        // A chunk that was being copied goes on to its end: until then nobody else copies the same.
        if (!settle || !ours || run.backfillId === null) continue;
        isBackfilling(run.backfillId, run);
        repairing.push(...run.windows);
        continue;
      }
      if (!settle || !ours) {
        await this.#store.saveRun({ ...run, state: 'superseded' });
        continue;
      }
      const ofRun = failedJobs.filter((job) => job.data?.runId === run.id);
      failed.push(...ofRun);
      repairing.push(...run.windows);
      const { unprocessed = 0 } = await settle.getDependenciesCount({ unprocessed: true });
      if (unprocessed <= ofRun.length && (await settle.isWaitingChildren())) continue;
      if (run.backfillId === null) inProgress = true;
      else isBackfilling(run.backfillId, run);
    }
    return { inProgress, backfilling, failed, repairing };
  }

  async start(plan: Omit<Plan, 'complete'>, epoch: number, nowMs: number): Promise<RunRecord> {
    const { direction, backfillId, chunks, stepMs, dedupMs } = plan;
    // Regular repairs go before backfills.
    const priority = backfillId === null ? {} : { priority: BACKFILL_PRIORITY };
    const run: RunRecord = {
      id: `${new Date(nowMs).toISOString().replaceAll(/[-:]|\.\d+Z/g, '')}-${randomBytes(2).toString('hex')}`,
      direction,
      epoch,
      createdMs: nowMs,
      backfillId,
      state: 'open',
      chunks: chunks.length,
      series: chunks.reduce((sum, chunk) => sum + chunk.series, 0),
      samplesPlanned: chunks.reduce((sum, chunk) => sum + chunk.samples, 0),
      windows: mergeWindows(chunks.map((chunk) => chunk.window)),
      settledMs: null,
      samplesCopied: 0,
      bytesCopied: 0,
    };
    await this.#store.saveRun(run);
    await this.#flows.add({
      name: 'settle-run',
      queueName: QUEUES.checks,
      data: { runId: run.id },
      opts: { ...SETTLE_OPTIONS, jobId: settleId(run.id) },
      children: chunks.map((chunk, at) => ({
        name: 'repair-chunk',
        queueName: QUEUES.repairs,
        data: { runId: run.id, direction, epoch, chunk, stepMs, dedupMs } satisfies ChunkOrder,
        opts: { ...CHUNK_OPTIONS, ...priority, jobId: `chunk-${run.id}-${at + 1}` },
      })),
    });
    return run;
  }
}

const settleId = (runId: string): string => `settle-${runId}`;

export const describeRun = (run: RunRecord): string =>
  `run ${run.id}: ${run.chunks} chunks, ${run.samplesPlanned} samples, ${formatDirection(run.direction)}`;
