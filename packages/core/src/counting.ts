import type { KnownReport } from './certificate.ts';
import { provenFromMs } from './make-certificate.ts';
import { directionKey } from './site.ts';
import type { SyncState } from './state.ts';
import { alignUpMs, type Window, windowOrNothing } from './window.ts';

/** So many samples a database counts within about two seconds, twice (measured: 25 to 60 million a second). */
const COUNTED_SAMPLES_MOST = 30_000_000;

const DAY_MS = 86_400_000;

/** Counts may be as old as this: they are for showing, and every check proves anew. */
export const COUNT_AGAIN_AFTER_MS = 3_600_000;

/**
 * The newest proven time that is counted by device for a certificate: a day at the most, the look-back of a check at the
 * least, and between them no more samples than a database counts within seconds. Undefined where nothing is proven.
 */
export function windowToCount(
  state: SyncState,
  report: KnownReport,
  { queryStepMs, queryWindowMs }: { readonly queryStepMs: number; readonly queryWindowMs: number },
): Window | undefined {
  const mark = state.marks[directionKey(report.direction)];
  const provenMs = provenFromMs(state, report);
  if (!mark || provenMs === undefined) return undefined;
  // Of at least the look-back; where more was compared, less is counted.
  const samplesPerMs = Math.max(1, report.tallied.sourceSamples) / queryWindowMs;
  const affordableMs = COUNTED_SAMPLES_MOST / samplesPerMs;
  const lengthMs = Math.min(DAY_MS, Math.max(queryWindowMs, affordableMs));
  const fromMs = Math.max(provenMs, mark.throughMs - lengthMs);
  return windowOrNothing(alignUpMs(fromMs, queryStepMs), mark.throughMs);
}
