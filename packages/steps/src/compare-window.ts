import {
  escapeRegex,
  formatSelector,
  halve,
  type Matcher,
  type Selector,
  slicesNewestFirst,
  VmSyncError,
  type Window,
} from '@vm-sync/core';
import { compareSlice, type Depth, type Measure, type SliceResult } from './compare-slice.ts';
import type { Pair } from './ports.ts';

/** How many series are held in memory at once: about 300 bytes each and side, so some tens of megabytes. */
const SERIES_AT_ONCE = 50_000;

/** Buckets compared at once: two hours at the default step; also the longest stretch of time of one chunk. */
export const BUCKETS_PER_SLICE = 24;

/**
 * Compares windows slice by slice, newest first, in as many parts as the servers' limits and our memory demand. Yields
 * results as they come; the parts of one slice are disjoint and complete.
 */
export async function* compareWindows(
  pair: Pair,
  scope: readonly Selector[],
  windows: readonly Window[],
  depth: Depth,
  measure: Measure,
  signal?: AbortSignal,
): AsyncGenerator<{ readonly window: Window; readonly parts: readonly SliceResult[] }> {
  for (const window of [...windows].sort((a, b) => b.toMs - a.toMs)) {
    for (const slice of slicesNewestFirst(window, measure.stepMs * BUCKETS_PER_SLICE)) {
      const parts: SliceResult[] = [];
      for (const selector of scope) {
        for await (const part of inParts(pair, selector, slice, depth, measure, signal))
          parts.push(part);
      }
      yield { window: slice, parts };
    }
  }
}

/** Compares at once what fits, and in parts what does not: by metric name first, then by time. */
async function* inParts(
  pair: Pair,
  selector: Selector,
  window: Window,
  depth: Depth,
  measure: Measure,
  signal: AbortSignal | undefined,
): AsyncGenerator<SliceResult> {
  try {
    const mostSeries = isOneName(selector) ? Number.POSITIVE_INFINITY : SERIES_AT_ONCE;
    yield await compareSlice(pair, selector, window, depth, measure, { mostSeries, signal });
    return;
  } catch (error) {
    if (!(error instanceof VmSyncError) || error.kind !== 'too-big') throw error;
    const smaller = await divide(pair, selector, window, measure, signal);
    if (smaller.length === 0) {
      throw new VmSyncError(
        'final',
        `${error.message}; cannot ask for less than ${formatSelector(selector)} in one bucket: raise the limit, or narrow SYNC_MATCH`,
        { cause: error },
      );
    }
    for (const part of smaller) {
      yield* inParts(pair, part.selector, part.window, depth, measure, signal);
    }
  }
}

const isOneName = (selector: Selector): boolean =>
  selector.some(({ label, operator }) => label === '__name__' && operator === '=');

interface Part {
  readonly selector: Selector;
  readonly window: Window;
}

/** Disjoint parts that make up the whole; empty when it cannot be divided any further. */
async function divide(
  pair: Pair,
  selector: Selector,
  window: Window,
  measure: Measure,
  signal: AbortSignal | undefined,
): Promise<Part[]> {
  const values = (label: string) => valuesOf(pair, label, selector, window, signal);
  if (!isOneName(selector)) {
    const names = await values('__name__');
    if (names.length > 0) return divideByValue('__name__', names, selector, window);
  }
  const halves = halve(window, measure.stepMs);
  if (halves) return halves.map((half) => ({ selector, window: half }));
  let best: { label: string; values: string[] } | undefined;
  for (const label of await labelsOf(pair, selector, window, signal)) {
    if (label === '__name__') continue;
    const found = await values(label);
    if (found.length > 1 && found.length > (best?.values.length ?? 1))
      best = { label, values: found };
  }
  return best ? divideByValue(best.label, best.values, selector, window) : [];
}

/** Each division asks at most so many times more; what is still too big is divided again. */
const PARTS = 8;

/** A regular expression of this length fits into a query several times over (16 KiB by default). */
const PATTERN_MOST = 4_000;

/**
 * One part for each group of values, and one for all other values: lists of label values may be cut silently by the
 * server, and series without the label are in none of them.
 */
function divideByValue(
  label: string,
  values: string[],
  selector: Selector,
  window: Window,
): Part[] {
  const groups: string[][] = [];
  const perGroup = Math.ceil(values.length / PARTS);
  let length = 0;
  for (const value of values) {
    const group = groups.at(-1);
    length += value.length + 4;
    if (group && group.length < perGroup && length < PATTERN_MOST) group.push(value);
    else {
      groups.push([value]);
      length = value.length + 4;
    }
  }
  const matchers: Matcher[] = groups.map((group) =>
    group.length === 1
      ? { label, operator: '=', value: group[0] as string }
      : { label, operator: '=~', value: group.map(escapeRegex).join('|') },
  );
  const others: Selector = matchers.map((matcher) => ({
    ...matcher,
    operator: matcher.operator === '=' ? '!=' : '!~',
  }));
  return [...matchers.map((matcher) => [matcher, ...selector]), [...others, ...selector]].map(
    (part) => ({ selector: part, window }),
  );
}

async function valuesOf(
  pair: Pair,
  label: string,
  selector: Selector,
  window: Window,
  signal: AbortSignal | undefined,
): Promise<string[]> {
  const request = { selector: formatSelector(selector), window, signal };
  const both = await Promise.all([
    pair.source.labelValues(label, request),
    pair.destination.labelValues(label, request),
  ]);
  return [...new Set(both.flat())].sort();
}

async function labelsOf(
  pair: Pair,
  selector: Selector,
  window: Window,
  signal: AbortSignal | undefined,
): Promise<string[]> {
  const request = { selector: formatSelector(selector), window, signal };
  const both = await Promise.all([
    pair.source.labelNames(request),
    pair.destination.labelNames(request),
  ]);
  return [...new Set(both.flat())].sort();
}
