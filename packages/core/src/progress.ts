import type { Backfill } from './backfill.ts';
import { formatDuration } from './duration.ts';
import { intersect, lengthMs, mergeWindows, subtractWindows, type Window } from './window.ts';

/** A chunk that a worker has finished. */
export interface FinishedChunk {
  readonly atMs: number;
  /** Samples that were planned for it; what it really copied may be more, or nothing. */
  readonly planned: number;
  readonly samples: number;
  readonly bytes: number;
}

/** What was planned: one run, or all the open runs of a backfill together. */
export interface PlannedWork {
  /** When the first of the chunks that the rate is reckoned from could begin. */
  readonly beganMs: number;
  readonly chunks: number;
  readonly samplesPlanned: number;
}

/** How far planned work is. Nothing in it says more than was counted. */
export interface Progress {
  readonly chunksPlanned: number;
  readonly chunksDone: number;
  readonly samplesPlanned: number;
  /** Of the planned samples, those of finished chunks. */
  readonly samplesDone: number;
  /** What was really copied: less where samples had come otherwise, more where a chunk was copied twice. */
  readonly samplesCopied: number;
  readonly bytesCopied: number;
  /** From 0 to 1; 1 only when every chunk is done. */
  readonly share: number;
  /** Planned samples, and bytes, that were done per second of the last minute; null before the first chunk is done. */
  readonly samplesPerS: number | null;
  readonly bytesPerS: number | null;
  /** Null when nothing is known to reckon it from. */
  readonly leftMs: number | null;
  /** What `leftMs` rests on, as a sentence. */
  readonly basis: string;
}

const RATE_MS = 60_000;

/** A rate is reckoned over a second at the least: an instant has no rate. */
const LEAST_RATE_MS = 1_000;

/** Work that is not done is never shown as done, however it is rounded. */
const NEARLY = 0.999;

/**
 * How far planned work is, from the chunks that were finished. Progress is counted in planned samples: a chunk that
 * found everything there, or copied more than was planned, is done all the same. Chunks that failed are not finished.
 * `rated` is what the rate is reckoned from, where that is more: also the chunks of runs that went before.
 */
export function progressOf(
  work: PlannedWork,
  finished: readonly FinishedChunk[],
  nowMs: number,
  rated: readonly FinishedChunk[] = finished,
): Progress {
  const sum = (chunks: readonly FinishedChunk[], of: keyof FinishedChunk) =>
    chunks.reduce((total, chunk) => total + chunk[of], 0);
  const chunksDone = Math.min(work.chunks, finished.length);
  const allDone = chunksDone === work.chunks;
  const samplesDone = allDone
    ? work.samplesPlanned
    : Math.min(work.samplesPlanned, sum(finished, 'planned'));
  const spanMs = Math.max(LEAST_RATE_MS, Math.min(RATE_MS, nowMs - work.beganMs));
  const recent = rated.filter(({ atMs }) => atMs > nowMs - spanMs);
  const perS = (of: 'planned' | 'bytes') =>
    rated.length === 0 ? null : (sum(recent, of) / spanMs) * 1e3;
  const samplesPerS = perS('planned');
  return {
    chunksPlanned: work.chunks,
    chunksDone,
    samplesPlanned: work.samplesPlanned,
    samplesDone,
    samplesCopied: sum(finished, 'samples'),
    bytesCopied: sum(finished, 'bytes'),
    share: allDone ? 1 : Math.min(NEARLY, shareOf(work, chunksDone, samplesDone)),
    samplesPerS,
    bytesPerS: perS('bytes'),
    ...timeLeft(allDone, work.samplesPlanned - samplesDone, samplesPerS, spanMs),
  };
}

const shareOf = (work: PlannedWork, chunksDone: number, samplesDone: number): number =>
  work.samplesPlanned > 0 ? samplesDone / work.samplesPlanned : chunksDone / work.chunks;

function timeLeft(
  allDone: boolean,
  samplesLeft: number,
  samplesPerS: number | null,
  spanMs: number,
): Pick<Progress, 'leftMs' | 'basis'> {
  if (allDone) return { leftMs: 0, basis: 'every chunk is done' };
  const left = `${formatAmount(samplesLeft)} samples left`;
  if (samplesPerS === null) return { leftMs: null, basis: `${left}; no chunk is done yet` };
  const over = `over the last ${formatDuration(Math.round(spanMs / 1e3) * 1e3)}`;
  if (samplesPerS === 0) return { leftMs: null, basis: `${left}; no chunk was done ${over}` };
  const basis = `${left} at ${formatAmount(samplesPerS)}/s ${over}`;
  return { leftMs: Math.round((samplesLeft / samplesPerS) * 1e3), basis };
}

/** `12 of 40 chunks, 32 %, 1m 10s left (3.2 M samples left at 45 k/s over the last 1m)`, for people. */
export function formatProgress(progress: Progress): string {
  const { chunksDone, chunksPlanned, share, leftMs, basis } = progress;
  const left = leftMs === null ? 'time left unknown' : `${formatDuration(leftMs)} left`;
  return `${chunksDone} of ${chunksPlanned} chunks, ${formatShare(share)}, ${left} (${basis})`;
}

/** `99 %`: rounded down, so that only what is whole is called 100 %. */
export const formatShare = (share: number): string => `${Math.floor(share * 100)} %`;

/** `3.2 M`, `450`, `12 k`: at most two digits that matter, for people. */
export function formatAmount(amount: number): string {
  const units = ['', ' k', ' M', ' G', ' T', ' P'];
  let at = 0;
  let rest = amount;
  // From 999.5 on it would be rounded to four digits.
  while (rest >= 999.5 && at < units.length - 1) {
    rest /= 1e3;
    at += 1;
  }
  const digits = rest < 9.95 && !Number.isInteger(rest) ? 1 : 0;
  return `${rest.toFixed(digits).replace(/\.0$/, '')}${units[at]}`;
}

/** How far a backfill is, as shares of its range from 0 to 1. */
export interface BackfillShare {
  /** Compared and found equal. */
  readonly proven: number;
  /** Proven, or repaired and waiting for the comparison that proves it. */
  readonly provenOrRepaired: number;
}

/**
 * How much of its range a backfill has behind it. `repaired` are the windows of its settled runs, `repairing`
 * those of its open ones, which are being repaired (again).
 */
export function backfillShare(
  { window, unproven, state }: Pick<Backfill, 'window' | 'unproven' | 'state'>,
  repaired: readonly Window[],
  repairing: readonly Window[],
): BackfillShare {
  if (state === 'done') return { proven: 1, provenOrRepaired: 1 };
  const whole = lengthMs(window);
  const inside = mergeWindows(unproven.flatMap((one) => intersect(one, window) ?? []));
  const left = subtractWindows(inside, subtractWindows(repaired, repairing));
  // Until the last comparison has been made, nothing is complete.
  const behind = (windows: readonly Window[]) =>
    Math.min(NEARLY, 1 - windows.reduce((total, one) => total + lengthMs(one), 0) / whole);
  return { proven: behind(inside), provenOrRepaired: behind(left) };
}
