import { mergeWindows, subtractWindows, type Window } from './window.ts';

/**
 * What a survey of the time before the mark showed. A survey compares counts per series and day: it is no proof, but a
 * difference in it is reason enough not to say READY.
 */
export interface History {
  /** Everything between here and the mark's beginning has been surveyed. */
  readonly surveyedFromMs: number;
  /** True when nothing older is to be surveyed: the edge of the retention is reached, or data begins later. */
  readonly complete: boolean;
  /** Surveyed windows in which the sites' counts differ, oldest first. */
  readonly differing: readonly Window[];
}

export const unsurveyed = (sinceMs: number): History => ({
  surveyedFromMs: sinceMs,
  complete: false,
  differing: [],
});

/** Takes from the differing windows what has been proven since, as by a backfill. */
export const withoutProven = (history: History, proven: readonly Window[]): History => ({
  ...history,
  differing: subtractWindows(history.differing, proven),
});

export const withDiffering = (history: History, windows: readonly Window[]): History => ({
  ...history,
  differing: mergeWindows([...history.differing, ...windows]),
});
