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
  readonly #selected: ReadonlyMap<string, readonly Selected[]>;
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
    this.#selected = selectedByName(this.#chunks);
    const [first] = failed;
    const many = failed.length === 1 ? '1 chunk' : `${failed.length} chunks`;
    this.reasons = first ? [`${many} failed (retry in Bull Board): ${firstLine(first)}`] : [];
  }

  /** A gap that only a part of a failed chunk lies in waits for that chunk too: two jobs never copy the same samples. */
  covers = (gap: Gap): boolean => {
    const name = gap.labels['__name__'] ?? ANY_NAME;
    const jobs = [name, ANY_NAME].flatMap((one) => meeting(this.#selected.get(one) ?? [], gap));
    for (const job of jobs) this.#stillMissing.add(job);
    return jobs.length > 0 || this.#backfilled.some((window) => overlap(window, gap));
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

/** One selector of a chunk. */
interface Selected {
  readonly job: Job;
  readonly window: Window;
  readonly selector: Selector;
  /** Up to where this one and those before it reach. */
  reachMs: number;
}

/** No metric is called so. */
const ANY_NAME = '';

/**
 * The selectors by the metric that they name, in the order of their time: a check asks for every gap that it finds, and there may
 * be as many chunks as the board holds.
 */
function selectedByName(chunks: readonly FailedChunk[]): Map<string, Selected[]> {
  const byName = new Map<string, Selected[]>();
  for (const { job, window, selectors } of chunks) {
    if (!window) continue;
    for (const selector of selectors) {
      const name = selector.find(({ label, operator }) => label === '__name__' && operator === '=');
      const selected = byName.get(name?.value ?? ANY_NAME) ?? [];
      selected.push({ job, window, selector, reachMs: window.toMs });
      byName.set(name?.value ?? ANY_NAME, selected);
    }
  }
  for (const selected of byName.values()) {
    selected.sort((a, b) => a.window.fromMs - b.window.fromMs);
    let reachMs = Number.NEGATIVE_INFINITY;
    for (const one of selected) {
      reachMs = Math.max(reachMs, one.reachMs);
      one.reachMs = reachMs;
    }
  }
  return byName;
}

/** The chunks whose selector meets a gap: from the last that begins before its end back to where none reaches it any more. */
function meeting(selected: readonly Selected[], gap: Gap): Job[] {
  let [at, end] = [0, selected.length];
  while (at < end) {
    const middle = (at + end) >> 1;
    if ((selected[middle] as Selected).window.fromMs < gap.toMs) at = middle + 1;
    else end = middle;
  }
  const jobs: Job[] = [];
  for (at -= 1; at >= 0; at--) {
    const one = selected[at] as Selected;
    if (one.reachMs <= gap.fromMs) break;
    if (overlap(one.window, gap) && meets(one.selector, gap.labels)) jobs.push(one.job);
  }
  return jobs;
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
  const moot = new Set(seen.moot);
  return failed.filter((job) => {
    if (seen.restarted || moot.has(job) || hasTurned(job)) return true;
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
