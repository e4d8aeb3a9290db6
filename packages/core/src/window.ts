/**
 * A window is the half-open interval `(fromMs, toMs]` in milliseconds since the epoch: the sample at `toMs` belongs to
 * it, the one at `fromMs` belongs to its predecessor. VictoriaMetrics cuts its look-behind windows and its
 * deduplication intervals the same way (measured on 1.79.5 and 1.145), so neighbouring windows on aligned ends hold
 * every sample exactly once.
 */
export interface Window {
  readonly fromMs: number;
  readonly toMs: number;
}

/** Builds a window; throws a `RangeError` when the ends are not whole milliseconds in ascending order. */
export function makeWindow(fromMs: number, toMs: number): Window {
  if (!Number.isSafeInteger(fromMs) || !Number.isSafeInteger(toMs) || fromMs >= toMs) {
    throw new RangeError(`not a window: (${fromMs}, ${toMs}]`);
  }
  return { fromMs, toMs };
}

/** The same interval as a window, or undefined when nothing lies between the ends. */
export function windowOrNothing(fromMs: number, toMs: number): Window | undefined {
  return fromMs < toMs ? makeWindow(fromMs, toMs) : undefined;
}

export const lengthMs = (window: Window): number => window.toMs - window.fromMs;

export const alignDownMs = (atMs: number, stepMs: number): number =>
  Math.floor(atMs / stepMs) * stepMs;

export const alignUpMs = (atMs: number, stepMs: number): number =>
  Math.ceil(atMs / stepMs) * stepMs;

/** The ends of the buckets of `stepMs` that make up an aligned window, oldest first. */
export function bucketEndsMs(window: Window, stepMs: number): number[] {
  const ends: number[] = [];
  for (let endMs = window.fromMs + stepMs; endMs <= window.toMs; endMs += stepMs) ends.push(endMs);
  return ends;
}

/** What both windows share. */
export function intersect(a: Window, b: Window): Window | undefined {
  return windowOrNothing(Math.max(a.fromMs, b.fromMs), Math.min(a.toMs, b.toMs));
}

/** The union of windows as the fewest windows, oldest first; windows that touch become one. */
export function mergeWindows(windows: readonly Window[]): Window[] {
  const merged: Window[] = [];
  for (const next of [...windows].sort((a, b) => a.fromMs - b.fromMs)) {
    const last = merged.at(-1);
    if (last && next.fromMs <= last.toMs) {
      merged[merged.length - 1] = makeWindow(last.fromMs, Math.max(last.toMs, next.toMs));
    } else merged.push(next);
  }
  return merged;
}

/** From the beginning of the first window to the end of the last; undefined when there is none. */
export function spanOf(windows: readonly Window[]): Window | undefined {
  const merged = mergeWindows(windows);
  const [first, last] = [merged[0], merged.at(-1)];
  return first && last && makeWindow(first.fromMs, last.toMs);
}

/** `windows` without what `taken` covers, oldest first. */
export function subtractWindows(windows: readonly Window[], taken: readonly Window[]): Window[] {
  let left = mergeWindows(windows);
  for (const hole of taken) {
    left = left.flatMap((window) =>
      [
        windowOrNothing(window.fromMs, Math.min(window.toMs, hole.fromMs)),
        windowOrNothing(Math.max(window.fromMs, hole.toMs), window.toMs),
      ].filter((part) => part !== undefined),
    );
  }
  return left;
}

/** Cuts a window into slices of at most `sliceMs` on multiples of `sliceMs`, newest first. */
export function slicesNewestFirst(window: Window, sliceMs: number): Window[] {
  const slices: Window[] = [];
  for (let toMs = window.toMs; toMs > window.fromMs; ) {
    const fromMs = Math.max(window.fromMs, alignUpMs(toMs, sliceMs) - sliceMs);
    slices.push(makeWindow(fromMs, toMs));
    toMs = fromMs;
  }
  return slices;
}

/** Two halves, whole buckets of `stepMs` from its beginning on; undefined when the window is one bucket (or less) wide. */
export function halve(window: Window, stepMs: number): [Window, Window] | undefined {
  if (lengthMs(window) <= stepMs) return undefined;
  const cutMs = window.fromMs + Math.max(alignDownMs(lengthMs(window) / 2, stepMs), stepMs);
  return [makeWindow(window.fromMs, cutMs), makeWindow(cutMs, window.toMs)];
}

const iso = (atMs: number): string => new Date(atMs).toISOString().replace(/\.000Z$/, 'Z');

/** `2026-11-23T13:00:00Z – 14:00:00Z`, for people; the date is repeated only where it changes. */
export function formatWindow(window: Window): string {
  const from = iso(window.fromMs);
  const to = iso(window.toMs);
  return `${from} – ${from.slice(0, 10) === to.slice(0, 10) ? to.slice(11) : to}`;
}
