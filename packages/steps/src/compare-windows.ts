import { type Selector, slicesNewestFirst, type Window } from '@vm-sync/core';
import { compareSlice, type Depth, type Measure, type SliceResult } from './compare-slice.ts';
import type { ValueLook } from './compare-values.ts';
import { inParts, isOneName } from './in-parts.ts';
import type { Pair } from './ports.ts';

/** How many series are held in memory at once in an exact comparison. */
const SERIES_AT_ONCE = 50_000;

/** Buckets compared at once: two hours at the default step. */
export const BUCKETS_PER_SLICE = 24;

/** What is compared, by what measure. */
export interface Comparison {
  readonly pair: Pair;
  readonly scope: readonly Selector[];
  readonly measure: Measure;
  /** Given where exact comparisons look at values as well. */
  readonly values?: ValueLook | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Compares windows slice by slice, newest first, in as many parts as the servers' limits and our memory demand. Yields
 * results as they come; the parts of one slice are disjoint and complete.
 */
export async function* compareWindows(
  comparison: Comparison,
  windows: readonly Window[],
  depth: Depth,
): AsyncGenerator<{ readonly window: Window; readonly parts: readonly SliceResult[] }> {
  const sliceMs = comparison.measure.stepMs * BUCKETS_PER_SLICE;
  for (const window of [...windows].sort((a, b) => b.toMs - a.toMs)) {
    for (const slice of slicesNewestFirst(window, sliceMs)) {
      const parts: SliceResult[] = [];
      for (const scope of comparison.scope) {
        for await (const part of compareParts(comparison, scope, scope, slice, depth))
          parts.push(part);
      }
      yield { window: slice, parts };
    }
  }
}

/** Compares one selector of a scope in one slice, at once or in parts. */
export function compareParts(
  { pair, measure, values, signal }: Comparison,
  scope: Selector,
  selector: Selector,
  window: Window,
  depth: Depth,
): AsyncGenerator<SliceResult> {
  const { stepMs } = measure;
  return inParts({ pair, selector, window, stepMs, signal }, (part, slice) => {
    const mostSeries = isOneName(part) ? Number.POSITIVE_INFINITY : SERIES_AT_ONCE;
    const asked = { pair, scope, selector: part, window: slice, measure, mostSeries, signal };
    // What is looked at again was looked at before.
    return compareSlice({ ...asked, values: depth === 'exact' ? values : undefined }, depth);
  });
}
