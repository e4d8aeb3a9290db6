import { formatWindow, type Window } from '@vm-sync/core';

/**
 * The one place where windows `(from, to]` become the database's own bounds (DESIGN, invariant 4). Times are always
 * written as decimal seconds: 1.79 reads whole milliseconds as seconds and answers with nothing (measured).
 */
export const seconds = (atMs: number): string => (atMs / 1000).toFixed(3);

const DAY_MS = 86_400_000;

/**
 * The end to ask for. For a window that ends at midnight UTC, 1.79 looks for series in the index of the days before it
 * only, and overlooks one that begins there (measured: counts, exports, lists of labels). So such a window is asked
 * for a millisecond longer; what lies in it is not the window's, and whoever receives samples drops it.
 */
export const endToAskFor = (toMs: number): number => (toMs % DAY_MS === 0 ? toMs + 1 : toMs);

/** Both ends of an export are inclusive: it begins one millisecond after the window's open end. */
export function exportForm(request: {
  readonly selectors: readonly string[];
  readonly window: Window;
}): URLSearchParams {
  const { fromMs, toMs } = request.window;
  const form = new URLSearchParams({ start: seconds(fromMs + 1), end: seconds(endToAskFor(toMs)) });
  for (const selector of request.selectors) form.append('match[]', selector);
  return form;
}

/**
 * A look-behind `[step]` at T covers `(T - step, T]`: a window's points stand at the ends of its buckets. The end to ask
 * for may lie behind the last of them, by less than a step: it brings no point of its own. Throws a `RangeError` where
 * the last bucket would be cut off: its samples would be counted by nobody.
 */
export const rangeBounds = (
  window: Window,
  stepMs: number,
): { start: string; end: string; step: string } => {
  if ((window.toMs - window.fromMs) % stepMs !== 0) {
    throw new RangeError(`${formatWindow(window)} is no whole number of buckets of ${stepMs} ms`);
  }
  return {
    start: seconds(window.fromMs + stepMs),
    end: seconds(endToAskFor(window.toMs)),
    step: duration(stepMs),
  };
};

/** A MetricsQL duration of whole seconds or milliseconds. */
export const duration = (ms: number): string => (ms % 1000 === 0 ? `${ms / 1000}s` : `${ms}ms`);
