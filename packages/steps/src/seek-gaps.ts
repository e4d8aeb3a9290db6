import {
  alignDownMs,
  alignUpMs,
  escapeRegex,
  type Gap,
  gapsOfSeries,
  lengthMs,
  makeWindow,
  mergeWindows,
  NOTHING_TALLIED,
  type Selector,
  slicesNewestFirst,
  VmSyncError,
  type Window,
} from '@vm-sync/core';
import { bucketOf, type Counted, compareCounts } from './compare-counts.ts';
import type { SliceResult } from './compare-slice.ts';
import { BUCKETS_PER_SLICE, type Comparison, compareParts } from './compare-windows.ts';
import { inParts } from './in-parts.ts';

/**
 * Looks for gaps in wide windows, newest first, from coarse to fine: where counts per series agree in wide buckets,
 * nothing more is asked; what the destination lacks for a whole bucket is a gap as wide as that; only what is there in
 * part is looked at in narrower buckets, for the metric names concerned, and in the end exactly. It proves nothing: equal
 * counts may be of different samples.
 *
 * A server reads whole blocks of 8,192 samples a series, however narrow a window is (measured: two hours of samples at
 * 15 s cost as much as 34). So a question goes over much time at once, with many buckets, and neighbours that are there
 * in part are asked for together.
 */
export async function* seekGaps(
  comparison: Comparison,
  windows: readonly Window[],
): AsyncGenerator<SliceResult> {
  for (const window of [...windows].sort((a, b) => b.toMs - a.toMs)) {
    for (const piece of piecesNewestFirst(window, comparison.measure.stepMs)) {
      for (const scope of comparison.scope) yield* seekPiece(comparison, scope, scope, piece);
    }
  }
}

/** A window, and the width of the buckets to look at it with; the window is a multiple of that. */
interface Piece {
  readonly window: Window;
  readonly bucketMs: number;
}

/** Widths in steps: at the default step days, about two hours, and the step itself. */
const DAY = 288;
const COARSE = 24;
/** So many buckets are asked for at once. */
const AT_ONCE = 96;
const DAYS_AT_ONCE = 16;

function piecesNewestFirst(window: Window, stepMs: number): Piece[] {
  const steps = Math.round(lengthMs(window) / stepMs);
  if (steps <= COARSE) return [{ window, bucketMs: stepMs }];
  if (steps > COARSE * AT_ONCE) return dayPieces(window, stepMs);
  const bucketMs = coarseWidth(steps) * stepMs;
  const cutMs = window.fromMs + (lengthMs(window) % bucketMs);
  return [
    { window: makeWindow(cutMs, window.toMs), bucketMs },
    ...(cutMs > window.fromMs ? piecesNewestFirst(makeWindow(window.fromMs, cutMs), stepMs) : []),
  ];
}

/** Days of the calendar, so that the next look at old time asks the same; and what they leave at both ends. */
function dayPieces(window: Window, stepMs: number): Piece[] {
  const bucketMs = DAY * stepMs;
  const fromMs = alignUpMs(window.fromMs, bucketMs);
  const toMs = alignDownMs(window.toMs, bucketMs);
  const days = slicesNewestFirst(makeWindow(fromMs, toMs), bucketMs * DAYS_AT_ONCE);
  return [
    ...(toMs < window.toMs ? piecesNewestFirst(makeWindow(toMs, window.toMs), stepMs) : []),
    ...days.map((days) => ({ window: days, bucketMs })),
    ...(window.fromMs < fromMs ? piecesNewestFirst(makeWindow(window.fromMs, fromMs), stepMs) : []),
  ];
}

/** About two hours, so that nothing is left over where that can be: what is left over is a question more. */
function coarseWidth(steps: number): number {
  for (let width = COARSE; width * AT_ONCE >= steps; width--) {
    if (steps % width === 0) return width;
  }
  return COARSE;
}

/** Bounds the memory of the series that differ: buckets of all of them, 16 bytes each. */
const DIFFERING_BUCKETS = 2_000_000;

async function* seekPiece(
  comparison: Comparison,
  scope: Selector,
  selector: Selector,
  { window, bucketMs }: Piece,
): AsyncGenerator<SliceResult> {
  const { pair, measure, signal } = comparison;
  const { stepMs } = measure;
  const atOnce = Math.round(lengthMs(window) / bucketMs);
  const mostDiffering = Math.floor(DIFFERING_BUCKETS / atOnce);
  const counts = inParts(
    { pair, selector, window, stepMs: bucketMs, signal },
    async (part, piece) => {
      const question = { pair, selector: part, window: piece, stepMs: bucketMs, signal };
      const counted = await compareCounts({ ...question, mostDiffering });
      if (counted) return { part, counted };
      throw new VmSyncError('too-big', `more than ${mostDiffering} series differ at once`);
    },
  );
  // In wider buckets series come and go, which says nothing of how many there are at once.
  const tellsSeries = bucketMs <= COARSE * stepMs;
  for await (const { part, counted } of counts) {
    let present = tellsSeries ? seriesAtOnce(counted) : undefined;
    for (const stretch of stretchesNewestFirst(counted, atOnceNext(bucketMs, stepMs))) {
      const result = stretchResult(scope, counted, stretch);
      yield { ...result, present };
      present = undefined;
      const { names } = stretch;
      if (names.size === 0) continue;
      const piece = { window: result.window, bucketMs };
      yield* seekFiner(comparison, scope, narrow(part, names), piece);
    }
  }
}

/** What is there in part in buckets of one width is looked at in narrower ones, and at last sample by sample. */
async function* seekFiner(
  comparison: Comparison,
  scope: Selector,
  selector: Selector,
  { window, bucketMs }: Piece,
): AsyncGenerator<SliceResult> {
  const { stepMs } = comparison.measure;
  if (bucketMs === stepMs) {
    const exact = { ...comparison, values: undefined };
    for (const slice of slicesBack(window, stepMs * BUCKETS_PER_SLICE)) {
      for await (const part of compareParts(exact, scope, selector, slice, 'exact')) {
        yield withoutSums(part);
      }
    }
    return;
  }
  const pieces =
    bucketMs === DAY * stepMs
      ? piecesNewestFirst(window, stepMs)
      : slicesBack(window, stepMs * AT_ONCE).map((slice) => ({ window: slice, bucketMs: stepMs }));
  for (const piece of pieces) {
    for await (const part of seekPiece(comparison, scope, selector, piece)) yield withoutSums(part);
  }
}

/** Slices from the newest end on, so that as few as possible are asked for. */
function slicesBack({ fromMs, toMs }: Window, sliceMs: number): Window[] {
  const slices: Window[] = [];
  for (let endMs = toMs; endMs > fromMs; endMs -= sliceMs) {
    slices.push(makeWindow(Math.max(fromMs, endMs - sliceMs), endMs));
  }
  return slices;
}

/** Neighbouring buckets that are to be looked at together: those with names that are there in part, and the others. */
interface Stretch {
  readonly first: number;
  readonly last: number;
  readonly names: ReadonlySet<string>;
}

/** As much time as the next look at what is there in part takes at once. */
function atOnceNext(bucketMs: number, stepMs: number): number {
  if (bucketMs === stepMs) return BUCKETS_PER_SLICE * stepMs;
  return (bucketMs === DAY * stepMs ? COARSE : 1) * AT_ONCE * stepMs;
}

/** Both ends of a hole are there in part, and its middle not at all: looked at together where that is one question. */
function stretchesNewestFirst(counted: Counted, atOnceMs: number): Stretch[] {
  const joined: Stretch[] = [];
  for (const stretch of alternating(counted)) {
    const [ahead, between] = joined.slice(-2);
    const inPart = stretch.names.size > 0;
    const ms = ahead ? (ahead.last - stretch.first + 1) * counted.stepMs : 0;
    if (ahead && between && inPart && ahead.names.size > 0 && ms <= atOnceMs) {
      const names = new Set([...ahead.names, ...stretch.names]);
      joined.splice(-2, 2, { first: stretch.first, last: ahead.last, names });
    } else joined.push(stretch);
  }
  return joined;
}

function alternating(counted: Counted): Stretch[] {
  const buckets = Math.round(lengthMs(counted.window) / counted.stepMs);
  const stretches: Stretch[] = [];
  for (let at = buckets - 1; at >= 0; at--) {
    const names = namesThereInPart(counted, at);
    const newer = stretches.at(-1);
    if (newer && newer.names.size > 0 === names.size > 0) {
      stretches[stretches.length - 1] = {
        first: at,
        last: newer.last,
        names: new Set([...newer.names, ...names]),
      };
    } else stretches.push({ first: at, last: at, names });
  }
  return stretches;
}

/** Metric names of which the destination has a part of some series' samples. */
function namesThereInPart({ differing }: Counted, at: number): Set<string> {
  const names = new Set<string>();
  for (const { name, source, destination } of differing) {
    const [there, here] = [source[at] as number, destination[at] as number];
    if (0 < here && here < there) names.add(name);
  }
  return names;
}

/** What a stretch shows by itself: series of which the destination has nothing in some of its buckets. */
function stretchResult(scope: Selector, counted: Counted, stretch: Stretch): SliceResult {
  const { first, last, names: inPart } = stretch;
  const window = makeWindow(bucketOf(counted, first).fromMs, bucketOf(counted, last).toMs);
  const grid = { fromMs: window.fromMs, stepMs: counted.stepMs };
  const gaps: Gap[] = [];
  for (const { name, labels, source, destination } of counted.differing) {
    if (inPart.has(name)) continue;
    const lacking = source.slice(first, last + 1);
    for (let at = first; at <= last; at++) if (destination[at] !== 0) lacking[at - first] = 0;
    gaps.push(...gapsOfSeries(labels, lacking, grid));
  }
  const missing = gaps.reduce((sum, gap) => sum + gap.missing, 0);
  const sourceSamples = sumOf(counted, stretch);
  return {
    scope,
    window,
    ...presenceIn(counted, stretch, new Set(gaps.map(({ labels }) => labels['__name__'] ?? ''))),
    gaps,
    tallied: {
      ...NOTHING_TALLIED,
      series: counted.series,
      sourceSamples,
      // Of the destination nothing more is known than that it agrees, or lacks this.
      destinationSamples: sourceSamples - missing,
      gaps: gaps.length,
      missing,
    },
    damaged: mergeWindows(gaps.map(({ fromMs, toMs }) => makeWindow(fromMs, toMs))),
    damagedBackward: [],
  };
}

const sumOf = ({ names }: Counted, { first, last }: Stretch): number =>
  [...names.values()].reduce((total, { samples }) => total + sum(samples, first, last), 0);

/** What the source has of these names in a stretch, in all and bucket by bucket. */
function presenceIn(
  counted: Counted,
  { first, last }: Stretch,
  wanted: ReadonlySet<string>,
): Pick<SliceResult, 'names' | 'presence'> {
  const names = new Map<string, { series: number; samples: number }>();
  for (const name of wanted) {
    const there = counted.names.get(name);
    if (!there) continue;
    const series = Math.max(...there.series.subarray(first, last + 1));
    names.set(name, { series, samples: sum(there.samples, first, last) });
  }
  if (names.size === 0) return { names };
  const presence = Array.from({ length: last - first + 1 }, (_, at) => ({
    window: bucketOf(counted, first + at),
    series: new Map(
      [...names.keys()].map((name) => [name, counted.names.get(name)?.series[first + at] ?? 0]),
    ),
  }));
  return { names, presence };
}

const sum = (counts: Float64Array, first: number, last: number): number =>
  counts.subarray(first, last + 1).reduce((total, count) => total + count, 0);

/** The most series that the source has in one bucket. */
function seriesAtOnce({ window, stepMs, names }: Counted): NonNullable<SliceResult['present']> {
  const buckets = new Float64Array(Math.round(lengthMs(window) / stepMs));
  for (const { series } of names.values()) {
    for (let at = 0; at < buckets.length; at++) {
      buckets[at] = (buckets[at] as number) + (series[at] as number);
    }
  }
  return { window, series: Math.max(...buckets) };
}

/** Samples that have been counted at a wider level are not counted again. */
const withoutSums = (result: SliceResult): SliceResult => ({
  ...result,
  present: undefined,
  tallied: { ...result.tallied, series: 0, sourceSamples: 0, destinationSamples: 0 },
});

/** A selector with more text than this is no cheaper than the whole scope. */
const NAMES_MOST = 100;
const TEXT_MOST = 4_000;

function narrow(selector: Selector, names: ReadonlySet<string>): Selector {
  const value = [...names].map(escapeRegex).join('|');
  if (names.size > NAMES_MOST || value.length > TEXT_MOST || names.has('')) return selector;
  return [{ label: '__name__', operator: '=~', value }, ...selector];
}
