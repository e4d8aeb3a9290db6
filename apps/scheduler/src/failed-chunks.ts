import {
  type Gap,
  meets,
  parseSelectors,
  type Selector,
  type ShortChunk,
  subtractWindows,
  type Window,
} from '@vm-sync/core';
import { ChunkOrder } from '@vm-sync/queue';
import type { SetAside } from '@vm-sync/steps';
import type { Job } from 'bullmq';
import type { OpenWork } from './runs.ts';

/** Failed chunks as a check sees them; remembers which of them still have gaps. */
export class FailedChunks implements SetAside {
  readonly reasons: readonly string[];
  readonly #chunks: readonly FailedChunk[];
  readonly #stillMissing = new Set<Job>();

  readonly repairing: readonly Window[];
  readonly inHand: readonly Window[];
  readonly backfilling: ReadonlySet<string>;
  /** What chunks of backfills are copying, or will. */
  readonly #backfilled: readonly Window[];

  constructor({ failed, repairing, backfilling, inHand }: OpenWork) {
    this.repairing = repairing;
    this.inHand = inHand;
    this.backfilling = new Set(backfilling.keys());
    this.#backfilled = [...backfilling.values()].flat();
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
        overlap(window, gap) &&
        selectors.some((selector) => meets(selector, gap.labels)),
    );
    for (const { job } of chunks) this.#stillMissing.add(job);
    return chunks.length > 0 || this.#backfilled.some((window) => overlap(window, gap));
  };

  /** Chunks in which the last comparison found nothing missing any more. */
  moot(): Job[] {
    return this.#chunks.map(({ job }) => job).filter((job) => !this.#stillMissing.has(job));
  }

  /** The same where a comparison looked at these windows only. */
  mootWithin(compared: readonly Window[]): Job[] {
    const seen = new Set(
      this.#chunks
        .filter(({ window }) => window && subtractWindows([window], compared).length === 0)
        .map(({ job }) => job),
    );
    return this.moot().filter((job) => seen.has(job));
  }
}

const overlap = (a: Window, b: Window): boolean => a.fromMs < b.toMs && b.fromMs < a.toMs;

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
 * nothing any more (they only have to be looked at again), those for which another site was active that is not any more,
 * and all of them after their destination restarted. Chunks that were copied and found short rest for a day: trying them
 * again before would only hammer the destination.
 */
export function worthRetrying(
  failed: readonly Job[],
  seen: { readonly nowMs: number; readonly moot: readonly Job[]; readonly restarted: boolean },
): Job[] {
  return failed.filter((job) => {
    if (seen.restarted || seen.moot.includes(job) || hasTurned(job)) return true;
    const tries = Math.max(0, job.attemptsStarted - (job.opts.attempts ?? 1));
    const restMs = isShort(job)
      ? RETRY_AFTER_MOST_MS
      : Math.min(RETRY_AFTER_MS * 2 ** tries, RETRY_AFTER_MOST_MS);
    return seen.nowMs - (job.finishedOn ?? seen.nowMs) >= restMs;
  });
}

/** Those that failed because their destination does not have what it accepted. */
export const shortChunks = (failed: readonly Job[]): ShortChunk[] =>
  failed.filter(isShort).flatMap((job) => {
    const order = ChunkOrder.safeParse(job.data);
    if (!order.success) return [];
    return [{ chunk: order.data.chunk, failedMs: job.finishedOn ?? 0, reason: firstLine(job) }];
  });

/** The mark that a worker leaves on a chunk that it did not copy because another site was active. */
const hasTurned = (job: Job): boolean =>
  typeof job.progress === 'object' && 'turned' in job.progress && job.progress.turned === true;

/** The mark that a worker leaves on a chunk whose samples the destination accepted and does not have. */
const isShort = (job: Job): boolean =>
  typeof job.progress === 'object' && 'short' in job.progress && job.progress.short === true;
