import { mergeWindows, subtractWindows, type Window } from './window.ts';

/**
 * What surveys of the time before the look-back showed. A survey compares counts per series and day, newest first. It is
 * no proof, but it sees what nobody looks at otherwise: gaps older than the first check, a database that came back
 * empty or from a backup, samples that reached one site hours late.
 */
export interface History {
  /** When the current pass began. */
  readonly begunMs: number;
  /** Everything between here and the look-back has been surveyed in this pass. */
  readonly surveyedFromMs: number;
  /** True when this pass reached the edge of the retention, or the beginning of all data. */
  readonly passDone: boolean;
  /** True when a whole pass has been made since the first check and since any restart of a database. */
  readonly complete: boolean;
  /** Surveyed windows before the mark's beginning in which the sites' counts differ, oldest first. */
  readonly differing: readonly Window[];
}

export const unsurveyed = (nowMs: number, fromMs: number): History => ({
  begunMs: nowMs,
  surveyedFromMs: fromMs,
  passDone: false,
  complete: false,
  differing: [],
});

/** So often all of history is surveyed again although nothing points to a change. */
const AGAIN_AFTER_MS = 3_600_000;

/** The history to go on with: the same pass, or a new one when a database restarted or the last pass is old. */
export function nextPass(
  history: History,
  now: { readonly nowMs: number; readonly lookBackFromMs: number; readonly restarted: boolean },
): History {
  // Either way: a clock that was ahead and has been set right would keep the next pass away for as long.
  const agoMs = Math.abs(now.nowMs - history.begunMs);
  const old = history.passDone && agoMs >= AGAIN_AFTER_MS;
  if (!old && !now.restarted) {
    // The horizon goes back with a clock: what is newer than it is not judged.
    const surveyedFromMs = Math.min(history.surveyedFromMs, now.lookBackFromMs);
    return { ...history, surveyedFromMs };
  }
  return {
    ...history,
    begunMs: now.nowMs,
    surveyedFromMs: now.lookBackFromMs,
    passDone: false,
    complete: history.complete && !now.restarted,
  };
}

/** Takes from the differing windows what has been proven since, as by a backfill. */
export const withoutProven = (history: History, proven: readonly Window[]): History => ({
  ...history,
  differing: subtractWindows(history.differing, proven),
});

export const withDiffering = (history: History, windows: readonly Window[]): History => ({
  ...history,
  differing: mergeWindows([...history.differing, ...windows]),
});
