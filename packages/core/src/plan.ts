import type { Gap } from './compare.ts';
import { formatSelector, type Labels, type Selector, selectorOf } from './selector.ts';
import { bucketEndsMs, lengthMs, makeWindow, type Window } from './window.ts';

/** What one repair job makes right: every sample of these selectors in this window. */
export interface Chunk {
  /** Selectors as text, of which no two meet the same series unless one names a subset of the labels of another. */
  readonly selectors: readonly string[];
  readonly window: Window;
  /** How many series were seen to lack samples, and how many samples they lack at the least. */
  readonly series: number;
  readonly samples: number;
}

/** The gaps of one stretch of a comparison, with how many series the source had there, in all and by metric name. */
export interface ComparedSlice {
  readonly selector: Selector;
  readonly window: Window;
  readonly sourceSeries: ReadonlyMap<string, number>;
  readonly gaps: readonly Gap[];
}

/** Bounds of a plan, each with its reason. */
export interface PlanLimits {
  /** About five seconds of copying on two cores; also what a worker holds of one side in memory when it works by difference. */
  readonly samplesPerChunk: number;
  /** Keeps a job's data at some tens of kilobytes, far below the form's limit of 10 MB and 500 tried `match[]`. */
  readonly seriesPerChunk: number;
  /** One flow is one transaction in Redis: 20,000 children blocked it for 0.9 s (measured), 500 are not felt. */
  readonly chunksPerRun: number;
}

export const PLAN_LIMITS: PlanLimits = {
  samplesPerChunk: 1_000_000,
  seriesPerChunk: 200,
  chunksPerRun: 500,
};

/**
 * Turns the gaps of one compared slice into chunks. Series that lack the same stretch of time share a chunk. Where all
 * series of the slice (or all of a metric name) lack it, one broad selector stands for them: it may meet series that
 * lack nothing, because a chunk is repaired by what is missing when it runs, not by what it names.
 */
export function planSlice(slice: ComparedSlice, stepMs: number, limits: PlanLimits): Chunk[] {
  const byWindow = Map.groupBy(slice.gaps, (gap) => `${gap.fromMs} ${gap.toMs}`);
  const sourceTotal = sum(slice.sourceSeries.values());
  return [...byWindow.values()].flatMap((gaps) => {
    const [{ fromMs, toMs }] = gaps as [Gap];
    const window = makeWindow(fromMs, toMs);
    if (gaps.length === sourceTotal && gaps.length > 1) {
      return divide([formatSelector(slice.selector)], window, gaps, stepMs, limits);
    }
    return planByName(slice, window, gaps, stepMs, limits);
  });
}

function planByName(
  slice: ComparedSlice,
  window: Window,
  gaps: readonly Gap[],
  stepMs: number,
  limits: PlanLimits,
): Chunk[] {
  const single: Gap[] = [];
  const chunks: Chunk[] = [];
  for (const [name, named] of Map.groupBy(gaps, (gap) => gap.labels['__name__'] ?? '')) {
    if (named.length > 1 && named.length === slice.sourceSeries.get(name)) {
      const selector: Selector = [
        { label: '__name__', operator: '=', value: name },
        ...slice.selector,
      ];
      chunks.push(...divide([formatSelector(selector)], window, named, stepMs, limits));
    } else single.push(...named);
  }
  for (let at = 0; at < single.length; at += limits.seriesPerChunk) {
    const part = single.slice(at, at + limits.seriesPerChunk);
    const selectors = part.map((gap) => formatSelector(exactly(gap.labels, slice.selector)));
    chunks.push(...divide(selectors, window, part, stepMs, limits));
  }
  return chunks;
}

/**
 * The labels as equalities, and the negative matchers of the scope: they keep out a longer series that has these labels
 * too, but is excluded.
 */
const exactly = (labels: Labels, scope: Selector): Selector => [
  ...selectorOf(labels),
  ...scope.filter((matcher) => labels[matcher.label] === undefined),
];

/** One chunk for a stretch, or several of equal length when it holds more samples than a chunk may. */
function divide(
  selectors: readonly string[],
  window: Window,
  gaps: readonly Gap[],
  stepMs: number,
  limits: PlanLimits,
): Chunk[] {
  const samples = gaps.reduce((total, gap) => total + gap.missing, 0);
  const ends = bucketEndsMs(window, stepMs);
  const pieces = Math.min(ends.length, Math.ceil(samples / limits.samplesPerChunk)) || 1;
  const chunks: Chunk[] = [];
  let fromMs = window.fromMs;
  for (let piece = 1; piece <= pieces; piece++) {
    const toMs = window.fromMs + Math.round((ends.length * piece) / pieces) * stepMs;
    const part = makeWindow(fromMs, piece === pieces ? window.toMs : toMs);
    const share = lengthMs(part) / lengthMs(window);
    chunks.push({
      selectors,
      window: part,
      series: gaps.length,
      samples: Math.ceil(samples * share),
    });
    fromMs = part.toMs;
  }
  return chunks;
}

/** Newest first: dashboards look at the last hours, and a repair that is cut short has then done the most useful part. */
export const newestFirst = (chunks: readonly Chunk[]): Chunk[] =>
  [...chunks].sort((a, b) => b.window.toMs - a.window.toMs || b.samples - a.samples);

const sum = (numbers: Iterable<number>): number => {
  let total = 0;
  for (const number of numbers) total += number;
  return total;
};
