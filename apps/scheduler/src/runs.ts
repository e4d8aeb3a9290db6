import { randomBytes } from 'node:crypto';
import {
  type Chunk,
  type Direction,
  directionKey,
  formatDirection,
  type Gap,
  meets,
  mergeWindows,
  parseSelectors,
  type Selector,
  type Window,
} from '@vm-sync/core';
import {
  CHUNK_OPTIONS,
  ChunkOrder,
  QUEUES,
  type RunRecord,
  SETTLE_OPTIONS,
  type Store,
} from '@vm-sync/queue';
import type { SetAside } from '@vm-sync/steps';
import type { FlowProducer, Job, Queue } from 'bullmq';

/** What is left of earlier runs. */
export interface OpenWork {
  /** True while chunks wait or are being copied: then nothing new is planned. */
  readonly inProgress: boolean;
  readonly failed: readonly Job[];
  /** What open runs repair. */
  readonly repairing: readonly Window[];
}

export const NO_WORK: OpenWork = { inProgress: false, failed: [], repairing: [] };

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

  /** The unfinished work of one direction. Runs of the other direction, and those whose jobs are gone, are closed. */
  async openWork(direction: Direction): Promise<OpenWork> {
    const open = (await this.#store.listRuns(50)).filter((run) => run.state === 'open');
    const failedJobs = await this.#repairs.getFailed(0, FAILED_MOST - 1);
    const failed: Job[] = [];
    const repairing: Window[] = [];
    let inProgress = false;
    for (const run of open) {
      const settle = await this.#checks.getJob(settleId(run.id));
      if (!settle || directionKey(run.direction) !== directionKey(direction)) {
        await this.#store.saveRun({ ...run, state: 'superseded' });
        continue;
      }
      const ofRun = failedJobs.filter((job) => job.data?.runId === run.id);
      failed.push(...ofRun);
      repairing.push(...run.windows);
      const { unprocessed = 0 } = await settle.getDependenciesCount({ unprocessed: true });
      if (unprocessed > ofRun.length || !(await settle.isWaitingChildren())) inProgress = true;
    }
    return { inProgress, failed, repairing };
  }

  async start(
    direction: Direction,
    chunks: readonly Chunk[],
    grid: { readonly stepMs: number; readonly dedupMs: number },
    nowMs: number,
  ): Promise<RunRecord> {
    const run: RunRecord = {
      id: `${new Date(nowMs).toISOString().replaceAll(/[-:]|\.\d+Z/g, '')}-${randomBytes(2).toString('hex')}`,
      direction,
      createdMs: nowMs,
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
        data: { runId: run.id, direction, chunk, ...grid } satisfies ChunkOrder,
        opts: { ...CHUNK_OPTIONS, jobId: `chunk-${run.id}-${at + 1}` },
      })),
    });
    return run;
  }
}

const settleId = (runId: string): string => `settle-${runId}`;

/** Failed chunks as a check sees them; remembers which of them still have gaps. */
export class FailedChunks implements SetAside {
  readonly reasons: readonly string[];
  readonly #chunks: readonly FailedChunk[];
  readonly #stillMissing = new Set<Job>();

  readonly repairing: readonly Window[];

  constructor({ failed, repairing }: OpenWork) {
    this.repairing = repairing;
    this.#chunks = failed.map(readChunk);
    const [first] = failed;
    const many = failed.length === 1 ? '1 chunk' : `${failed.length} chunks`;
    this.reasons = first ? [`${many} failed (retry in Bull Board): ${firstLine(first)}`] : [];
  }

  /** A gap that only a part of a failed chunk lies in waits for that chunk too: two jobs never copy the same samples. */
  covers = (gap: Gap): boolean => {
    const chunks = this.#chunks.filter(
      ({ window, selectors }) =>
        window !== undefined &&
        window.fromMs < gap.toMs &&
        gap.fromMs < window.toMs &&
        selectors.some((selector) => meets(selector, gap.labels)),
    );
    for (const { job } of chunks) this.#stillMissing.add(job);
    return chunks.length > 0;
  };

  /** Chunks in which the last comparison found nothing missing any more. */
  moot(): Job[] {
    return this.#chunks.map(({ job }) => job).filter((job) => !this.#stillMissing.has(job));
  }
}

interface FailedChunk {
  readonly job: Job;
  readonly window: Window | undefined;
  readonly selectors: readonly Selector[];
}

function readChunk(job: Job): FailedChunk {
  const order = ChunkOrder.safeParse(job.data);
  if (!order.success) return { job, window: undefined, selectors: [] };
  const { window, selectors } = order.data.chunk;
  return { job, window, selectors: selectors.flatMap((text) => parseSelectors(text)) };
}

const firstLine = (job: Job): string => (job.failedReason ?? '').split('\n', 1)[0] ?? '';

/** Failed chunks are tried again by themselves after ten minutes, then after twice as long each time, up to a day. */
const RETRY_AFTER_MS = 600_000;
const RETRY_AFTER_MOST_MS = 86_400_000;

/**
 * Which failed chunks are worth another try without a person's word: those that rested long enough, those that lack
 * nothing any more (they only have to be looked at again), and all of them after their destination restarted. Chunks
 * that were copied and found short are otherwise left alone: trying them again would only hammer the destination.
 */
export function worthRetrying(
  failed: readonly Job[],
  seen: { readonly nowMs: number; readonly moot: readonly Job[]; readonly restarted: boolean },
): Job[] {
  return failed.filter((job) => {
    if (seen.restarted || seen.moot.includes(job)) return true;
    const tries = Math.max(0, job.attemptsStarted - (job.opts.attempts ?? 1));
    const restMs = Math.min(RETRY_AFTER_MS * 2 ** tries, RETRY_AFTER_MOST_MS);
    return !isShort(job) && seen.nowMs - (job.finishedOn ?? seen.nowMs) >= restMs;
  });
}

/** The mark that a worker leaves on a chunk whose samples the destination accepted and does not have. */
const isShort = (job: Job): boolean =>
  typeof job.progress === 'object' && 'short' in job.progress && job.progress.short === true;

export const describeRun = (run: RunRecord): string =>
  `run ${run.id}: ${run.chunks} chunks, ${run.samplesPlanned} samples, ${formatDirection(run.direction)}`;
