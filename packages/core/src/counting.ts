import { alignUpMs, type Window, windowOrNothing } from './window.ts';

/** So many samples a database counts within about two seconds, twice (measured: 25 to 60 million a second). */
const COUNTED_SAMPLES_MOST = 30_000_000;

const DAY_MS = 86_400_000;

/** Counts may be as old as this: counting is for showing, and every check proves anew. */
export const COUNT_AGAIN_AFTER_MS = 3_600_000;

/**
 * The newest proven time that is counted by device for a certificate: a day at the most, the look-back of a check at the
 * least, and between them no more samples than a database counts within seconds. Undefined where nothing is proven.
 */
export function windowToCount(of: {
  readonly provenFromMs: number;
  readonly throughMs: number;
  readonly stepMs: number;
  /** What the last check compared, of at least its look-back. */
  readonly sourceSamples: number;
  readonly queryWindowMs: number;
}): Window | undefined {
  const { provenFromMs, throughMs, stepMs, sourceSamples, queryWindowMs } = of;
  const affordableMs = (COUNTED_SAMPLES_MOST / Math.max(1, sourceSamples)) * queryWindowMs;
  const lengthMs = Math.min(DAY_MS, Math.max(queryWindowMs, affordableMs));
  const fromMs = Math.max(provenFromMs, throughMs - lengthMs);
  return windowOrNothing(alignUpMs(fromMs, stepMs), throughMs);
}
