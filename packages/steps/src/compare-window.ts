import {
  formatSelector,
  halve,
  meets,
  type Selector,
  slicesNewestFirst,
  VmSyncError,
  type Window,
} from '@vm-sync/core';
import { compareSlice, type Depth, type Measure, type SliceResult } from './compare-slice.ts';
import { halvingMatcher } from './halve-values.ts';
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
    const sliceMs = measure.stepMs * BUCKETS_PER_SLICE;
    // Days that the retention or the mark cuts do not lie on a grid; a survey asks for few buckets at once anyway.
    const slices = depth === 'survey' ? [window] : slicesNewestFirst(window, sliceMs);
    for (const slice of slices) {
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
    if (!smaller) {
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

/** Two disjoint parts that make up the whole; undefined when it cannot be divided any further. */
async function divide(
  pair: Pair,
  selector: Selector,
  window: Window,
  measure: Measure,
  signal: AbortSignal | undefined,
): Promise<[Part, Part] | undefined> {
  const byValue = async (label: string): Promise<[Part, Part] | undefined> => {
    const matcher = halvingMatcher(label, await valuesOf(pair, label, selector, window, signal));
    if (!matcher) return undefined;
    // The second half is whatever the first is not: lists of values may be cut, or belong to other series.
    return [
      { selector: [matcher, ...selector], window },
      { selector: [{ ...matcher, operator: '!~' }, ...selector], window },
    ];
  };
  const names = isOneName(selector) ? undefined : await byValue('__name__');
  if (names) return names;
  const halves = halve(window, measure.stepMs);
  if (halves)
    return [
      { selector, window: halves[0] },
      { selector, window: halves[1] },
    ];
  for (const label of await labelsOf(pair, selector, window, signal)) {
    const parts = label === '__name__' ? undefined : await byValue(label);
    if (parts) return parts;
  }
  return undefined;
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
  // The list may hold values of other series; those that the selector rules out would be divided for ever.
  const own = selector.filter((matcher) => matcher.label === label);
  return [...new Set(both.flat())].filter((value) => meets(own, { [label]: value })).sort();
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
