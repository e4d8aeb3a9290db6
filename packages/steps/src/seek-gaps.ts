import {
  alignDownMs,
  alignUpMs,
  escapeRegex,
  type Gap,
  makeWindow,
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

/** A width of buckets, and how many of them are asked for at once. */
interface Level {
  readonly stepMs: number;
  readonly atOnce: number;
}

/** At the default step: days, then two hours, then the buckets themselves. */
const levelsOf = (stepMs: number): Level[] => [
  { stepMs: stepMs * BUCKETS_PER_SLICE * 12, atOnce: 16 },
  { stepMs: stepMs * BUCKETS_PER_SLICE, atOnce: 12 },
  { stepMs, atOnce: BUCKETS_PER_SLICE },
];

/** As many differing series are held in memory at once. */
const DIFFERING_AT_ONCE = 50_000;

/**
 * Looks for gaps in wide windows, newest first, from coarse to fine: where counts per series and day agree, nothing
 * more is asked; what the destination lacks for a whole bucket is a gap as wide as that, and only what is there in part
 * is looked at in narrower buckets, for the metric names concerned. It proves nothing: equal counts may be of different
 * samples.
 */
export async function* seekGaps(
  comparison: Comparison,
  windows: readonly Window[],
): AsyncGenerator<SliceResult> {
  const levels = levelsOf(comparison.measure.stepMs);
  for (const window of [...windows].sort((a, b) => b.toMs - a.toMs)) {
    for (const piece of piecesNewestFirst(window, levels)) {
      for (const scope of comparison.scope) yield* seekPiece(comparison, scope, scope, piece);
    }
  }
}

interface Piece {
  readonly window: Window;
  /** The first is the one to look at the window with; the others are narrower. */
  readonly levels: readonly Level[];
}

/** A window in pieces that are multiples of the widest buckets that fit, newest first. */
function piecesNewestFirst(window: Window, levels: readonly Level[]): Piece[] {
  const [level, ...finer] = levels as [Level, ...Level[]];
  const slicesOf = (part: Window) =>
    slicesNewestFirst(part, level.stepMs * level.atOnce).map((slice) => ({
      window: slice,
      levels,
    }));
  if (finer.length === 0) return slicesOf(window);
  const fromMs = alignUpMs(window.fromMs, level.stepMs);
  const toMs = alignDownMs(window.toMs, level.stepMs);
  if (fromMs >= toMs) return piecesNewestFirst(window, finer);
  return [
    ...(toMs < window.toMs ? piecesNewestFirst(makeWindow(toMs, window.toMs), finer) : []),
    ...slicesOf(makeWindow(fromMs, toMs)),
    ...(window.fromMs < fromMs ? piecesNewestFirst(makeWindow(window.fromMs, fromMs), finer) : []),
  ];
}

async function* seekPiece(
  comparison: Comparison,
  scope: Selector,
  selector: Selector,
  { window, levels }: Piece,
): AsyncGenerator<SliceResult> {
  const [level, ...finer] = levels as [Level, ...Level[]];
  if (finer.length === 0) {
    yield* compareParts(comparison, scope, selector, window, 'counts');
    return;
  }
  const { pair, signal } = comparison;
  const { stepMs } = level;
  const counts = inParts({ pair, selector, window, stepMs, signal }, async (part, piece) => {
    const question = { pair, selector: part, window: piece, stepMs, signal };
    const counted = await compareCounts({ ...question, mostDiffering: DIFFERING_AT_ONCE });
    if (counted) return { part, counted };
    throw new VmSyncError('too-big', `more than ${DIFFERING_AT_ONCE} series differ at once`);
  });
  for await (const { part, counted } of counts) {
    const buckets = Math.round((counted.window.toMs - counted.window.fromMs) / stepMs);
    for (let at = buckets - 1; at >= 0; at--) {
      const inPart = namesThereInPart(counted, at);
      yield bucketResult(scope, counted, at, inPart);
      if (inPart.size === 0) continue;
      const narrowed = narrow(part, inPart);
      for (const piece of piecesNewestFirst(bucketOf(counted, at), finer)) {
        for await (const finest of seekPiece(comparison, scope, narrowed, piece)) {
          yield withoutSums(finest);
        }
      }
    }
  }
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

/** What one wide bucket shows by itself: series of which the destination has nothing in it. */
function bucketResult(
  scope: Selector,
  counted: Counted,
  at: number,
  inPart: ReadonlySet<string>,
): SliceResult {
  const window = bucketOf(counted, at);
  const gaps: Gap[] = [];
  let missing = 0;
  for (const { name, labels, source, destination } of counted.differing) {
    const samples = source[at] as number;
    if (samples === 0 || destination[at] !== 0 || inPart.has(name)) continue;
    gaps.push({ labels, ...window, missing: samples, held: 0 });
    missing += samples;
  }
  const wanted = new Set(gaps.map(({ labels }) => labels['__name__'] ?? ''));
  const names = new Map<string, { series: number; samples: number }>();
  let sourceSamples = 0;
  for (const [name, there] of counted.names) {
    const samples = there.samples[at] as number;
    sourceSamples += samples;
    if (wanted.has(name)) names.set(name, { series: there.series[at] as number, samples });
  }
  return {
    scope,
    window,
    names,
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
    damaged: gaps.length > 0 ? [window] : [],
    damagedBackward: [],
  };
}

/** Samples that have been counted at a wider level are not counted again. */
const withoutSums = (result: SliceResult): SliceResult => ({
  ...result,
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
