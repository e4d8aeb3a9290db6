import { randomBytes } from 'node:crypto';
import {
  type Direction,
  directionKey,
  formatDirection,
  mergeWindows,
  reverse,
  type Window,
} from '@vm-sync/core';
import {
  BACKFILL_PRIORITY,
  CHUNK_OPTIONS,
  type ChunkOrder,
  chunkId,
  QUEUES,
  RECOVERY_PRIORITY,
  type RunCause,
  type RunRecord,
  SETTLE_OPTIONS,
  type Store,
  settleId,
} from '@vm-sync/queue';
import type { Plan } from '@vm-sync/steps';
import type { FlowProducer, Job, Queue } from 'bullmq';
import { idsIn, idsOf, jobsOf, retryAll } from './chunks-of.ts';

/** What is left of earlier runs. */
export interface OpenWork {
  /** True while regular chunks wait or are being copied: then nothing new is planned. */
  readonly inProgress: boolean;
  /** Backfills of which chunks wait or are being copied, or are paused, and what these repair; also cancelled ones. */
  readonly backfilling: ReadonlyMap<string, readonly Window[]>;
  readonly failed: readonly Job[];
  /** What open runs repair. */
  readonly repairing: readonly Window[];
  /** Windows in which chunks of any run wait or are being copied, whichever way. */
  readonly inHand: readonly Window[];
}

export const NO_WORK: OpenWork = {
  inProgress: false,
  backfilling: new Map(),
  failed: [],
  repairing: [],
  inHand: [],
};

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

  /**
   * The unfinished work of repairs in one direction's epoch. Runs that hold no longer, and those whose jobs are gone, are
   * closed.
   */
  openWork(direction: Direction, epoch: number): Promise<OpenWork> {
    return this.#openWork(false, (run) =>
      isRun(run, run.recovery ? reverse(direction) : direction, epoch),
    );
  }

  /** The same of recoveries; none of them holds where nothing is to be recovered now. */
  openRecoveries(direction: Direction, epoch: number, isWanted: boolean): Promise<OpenWork> {
    return this.#openWork(true, (run) =>
      run.recovery
        ? isWanted && isRun(run, direction, epoch)
        : isRun(run, reverse(direction), epoch),
    );
  }

  async #openWork(recovery: boolean, holds: (run: RunRecord) => boolean): Promise<OpenWork> {
    const failedIds = await idsIn(this.#repairs, 'failed');
    const failed: Job[] = [];
    const repairing: Window[] = [];
    const inHand: Window[] = [];
    const backfilling = new Map<string, readonly Window[]>();
    const isBackfilling = (id: string, { windows }: RunRecord) =>
      backfilling.set(id, [...(backfilling.get(id) ?? []), ...windows]);
    let inProgress = false;
    for (const run of await this.#store.unsettledRuns()) {
      const settle = await this.#checks.getJob(settleId(run.id));
      const isCancelled = run.state === 'cancelled';
      if (!settle || !holds(run)) {
        if (isCancelled) continue;
        await this.#store.saveRun({ ...run, state: 'superseded' });
        continue;
      }
      const isOurs = run.recovery === recovery;
      if (isOurs) repairing.push(...run.windows);
      const ofRun = idsOf(run, failedIds);
      const { unprocessed = 0 } = await settle.getDependenciesCount({ unprocessed: true });
      const rests = unprocessed <= ofRun.length && (await settle.isWaitingChildren());
      if (isCancelled) {
        // A chunk that was being copied goes on to its end: until then nobody else copies the same.
        inHand.push(...run.windows);
        if (isOurs && run.backfillId !== null) isBackfilling(run.backfillId, run);
        else if (isOurs && !rests) inProgress = true;
        // One that failed while its run was being cancelled would keep it from settling for ever.
        for await (const jobs of jobsOf(this.#repairs, ofRun)) await retryAll(jobs);
        continue;
      }
      if (isOurs) for await (const jobs of jobsOf(this.#repairs, ofRun)) failed.push(...jobs);
      if (rests) continue;
      inHand.push(...run.windows);
      if (!isOurs) continue;
      if (run.backfillId === null) inProgress = true;
      else isBackfilling(run.backfillId, run);
    }
    return { inProgress, backfilling, failed, repairing, inHand };
  }

  async start(
    plan: Omit<Plan, 'complete'> & { readonly cause: RunCause },
    epoch: number,
    nowMs: number,
  ): Promise<RunRecord> {
    const { direction, backfillId, recovery, cause, chunks, stepMs, dedupMs } = plan;
    const priority = priorityOf(plan);
    const run: RunRecord = {
      id: `${new Date(nowMs).toISOString().replaceAll(/[-:]|\.\d+Z/g, '')}-${randomBytes(2).toString('hex')}`,
      direction,
      epoch,
      createdMs: nowMs,
      backfillId,
      recovery,
      cause,
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
        data: {
          runId: run.id,
          direction,
          epoch,
          recovery,
          chunk,
          stepMs,
          dedupMs,
        } satisfies ChunkOrder,
        opts: { ...CHUNK_OPTIONS, ...priority, jobId: chunkId(run.id, at + 1) },
      })),
    });
    return run;
  }
}

const isRun = (run: RunRecord, direction: Direction, epoch: number): boolean =>
  run.epoch === epoch && directionKey(run.direction) === directionKey(direction);

/** Regular repairs go before recoveries, and these before backfills. */
function priorityOf({ backfillId, recovery }: Pick<Plan, 'backfillId' | 'recovery'>) {
  if (recovery) return { priority: RECOVERY_PRIORITY };
  return backfillId === null ? {} : { priority: BACKFILL_PRIORITY };
}

export const describeRun = (run: RunRecord): string =>
  `run ${run.id}: ${run.chunks} chunks, ${run.samplesPlanned} samples, ${formatDirection(run.direction)}`;
