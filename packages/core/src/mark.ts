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
  /** Proven windows of that history, as by backfills; oldest first, touching neither each other nor `sinceMs`. */
  readonly earlier: readonly Window[];
}

/** The verified-through mark: every sample after `sinceMs` up to here is proven to be on the destination. */
export const verifiedThroughMs = (mark: Mark): number => mark.unproven[0]?.fromMs ?? mark.throughMs;

/** The newest aligned instant that is judged: samples younger than the settle horizon are in flight. */
export const settledThroughMs = (nowMs: number, settleMs: number, stepMs: number): number =>
  alignDownMs(nowMs - settleMs, stepMs);

/** A first mark: with nothing remembered, proof begins one query window before the horizon. */
export const firstMark = (horizonMs: number, queryWindowMs: number, stepMs: number): Mark => {
  const sinceMs = alignDownMs(horizonMs - queryWindowMs, stepMs);
  return { sinceMs, throughMs: sinceMs, unproven: [], earlier: [] };
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
    ...mark,
    throughMs: Math.max(mark.throughMs, horizonMs),
    unproven: mergeWindows([...open, ...found.damaged]),
    earlier: subtractWindows(mark.earlier, found.damaged),
  };
}

/** Makes windows due again; before `sinceMs` they count as unproven history again. */
export const reopen = (mark: Mark, windows: readonly Window[]): Mark => ({
  ...mark,
  unproven: mergeWindows([...mark.unproven, ...between(mark.sinceMs, windows, mark.throughMs)]),
  earlier: subtractWindows(mark.earlier, windows),
});

/**
 * What a backfill found, which may lie anywhere before `throughMs`. `proven` is empty where it looked at a part of the
 * series only. Proven history that reaches `sinceMs` moves it back.
 */
export function applyBackfill(
  mark: Mark,
  found: { readonly proven: readonly Window[]; readonly damaged: readonly Window[] },
): Mark {
  const unproven = subtractWindows(mark.unproven, found.proven);
  const earlier = mergeWindows([...mark.earlier, ...between(0, found.proven, mark.sinceMs)]);
  const lost = reopen({ ...mark, unproven, earlier }, found.damaged);
  const last = lost.earlier.at(-1);
  if (last?.toMs !== mark.sinceMs) return lost;
  return { ...lost, sinceMs: last.fromMs, earlier: lost.earlier.slice(0, -1) };
}

/** Drops what no repair reaches any more; `ageOut` keeps what of it was open. */
export const giveUpBefore = (mark: Mark, beforeMs: number): Mark => ({
  ...mark,
  unproven: subtractWindows(mark.unproven, listed(windowOrNothing(0, beforeMs))),
  earlier: subtractWindows(mark.earlier, listed(windowOrNothing(0, beforeMs))),
});

const listed = (window: Window | undefined): Window[] => (window ? [window] : []);

/** The parts of windows that lie between two instants. */
const between = (fromMs: number, windows: readonly Window[], toMs: number): Window[] =>
  windows.flatMap((window) =>
    listed(windowOrNothing(Math.max(window.fromMs, fromMs), Math.min(window.toMs, toMs))),
  );
