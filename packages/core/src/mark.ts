import {
  alignDownMs,
  mergeWindows,
  subtractWindows,
  type Window,
  windowOrNothing,
} from './window.ts';

/**
 * What is proven in one direction: everything after `sinceMs` up to `throughMs`, except the `unproven` windows. Before
 * `sinceMs` lies history that no check of this vm-sync has proven.
 */
export interface Mark {
  readonly sinceMs: number;
  readonly throughMs: number;
  /** Oldest first, not touching each other. */
  readonly unproven: readonly Window[];
}

/** The verified-through mark: every sample after `sinceMs` up to here is proven to be on the destination. */
export const verifiedThroughMs = (mark: Mark): number => mark.unproven[0]?.fromMs ?? mark.throughMs;

/** The newest aligned instant that is judged: samples younger than the settle horizon are in flight. */
export const settledThroughMs = (nowMs: number, settleMs: number, stepMs: number): number =>
  alignDownMs(nowMs - settleMs, stepMs);

/** A first mark: with nothing remembered, proof begins one query window before the horizon. */
export const firstMark = (horizonMs: number, queryWindowMs: number, stepMs: number): Mark => {
  const sinceMs = alignDownMs(horizonMs - queryWindowMs, stepMs);
  return { sinceMs, throughMs: sinceMs, unproven: [] };
};

/** The windows that a check must prove, oldest first: what was left unproven, and what has settled since. */
export const dueWindows = (mark: Mark, horizonMs: number): Window[] =>
  mergeWindows([...mark.unproven, ...listed(windowOrNothing(mark.throughMs, horizonMs))]);

/**
 * The windows that a check looks at again although they are proven, oldest first: the last `queryWindowMs` without
 * what is due.
 */
export const lookBackWindows = (mark: Mark, horizonMs: number, queryWindowMs: number): Window[] =>
  subtractWindows(
    listed(windowOrNothing(Math.max(mark.sinceMs, horizonMs - queryWindowMs), horizonMs)),
    dueWindows(mark, horizonMs),
  );

/**
 * Moves the mark after a check: `proven` were compared and lack nothing, `damaged` were found lacking (also where they
 * had been proven before). The mark never passes an unproven window.
 */
export function advance(
  mark: Mark,
  horizonMs: number,
  found: { readonly proven: readonly Window[]; readonly damaged: readonly Window[] },
): Mark {
  const open = subtractWindows(dueWindows(mark, horizonMs), found.proven);
  return {
    sinceMs: mark.sinceMs,
    throughMs: Math.max(mark.throughMs, horizonMs),
    unproven: mergeWindows([...open, ...found.damaged]),
  };
}

/** Makes windows due again (or for the first time, for a backfill before `sinceMs`). */
export const reopen = (mark: Mark, windows: readonly Window[]): Mark => ({
  ...mark,
  unproven: mergeWindows([
    ...mark.unproven,
    ...windows.flatMap((window) =>
      listed(windowOrNothing(window.fromMs, Math.min(window.toMs, mark.throughMs))),
    ),
  ]),
});

/** Drops from the unproven what no repair can bring back, such as what is older than the destination's retention. */
export const giveUpBefore = (mark: Mark, beforeMs: number): Mark => ({
  ...mark,
  unproven: subtractWindows(mark.unproven, listed(windowOrNothing(0, beforeMs))),
});

const listed = (window: Window | undefined): Window[] => (window ? [window] : []);
