import type { Gap } from './compare.ts';
import {
  escapeRegex,
  formatSelector,
  type Labels,
  type Matcher,
  type Selector,
  selectorOf,
} from './selector.ts';
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

/** The gaps of one stretch of a comparison, with how many series the source had there by metric name. */
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
 * series of a metric name lack it, the name stands for them: it may meet series that lack nothing, because a chunk is
 * repaired by what is missing when it runs, not by what it names.
 */
export function planSlice(slice: ComparedSlice, stepMs: number, limits: PlanLimits): Chunk[] {
  const buckets = lengthMs(slice.window) / stepMs;
  let byWindow = groupByWindow(slice.gaps);
  // Scattered losses have as many stretches as there are ways to lose: buckets are fewer.
  if (byWindow.size > buckets)
    byWindow = groupByWindow(slice.gaps.flatMap((gap) => split(gap, stepMs)));
  return [...byWindow.values()].flatMap((gaps) => {
    const [{ fromMs, toMs }] = gaps as [Gap];
    const single: Gap[] = [];
    const whole: NamedGaps[] = [];
    for (const [name, named] of Map.groupBy(gaps, (gap) => gap.labels['__name__'] ?? '')) {
      if (named.length > 1 && named.length === slice.sourceSeries.get(name)) {
        whole.push({ name, gaps: named, samples: missingOf(named) });
      } else single.push(...named);
    }
    const window = makeWindow(fromMs, toMs);
    return [
      ...planNames(slice, window, whole, stepMs, limits),
      ...planSeries(slice, window, single, stepMs, limits),
    ];
  });
}

const groupByWindow = (gaps: readonly Gap[]): Map<string, Gap[]> =>
  Map.groupBy(gaps, (gap) => `${gap.fromMs} ${gap.toMs}`);

/** A gap bucket by bucket; what it lacks is shared out evenly. */
function split(gap: Gap, stepMs: number): Gap[] {
  const ends = bucketEndsMs(makeWindow(gap.fromMs, gap.toMs), stepMs);
  const missing = gap.missing / ends.length;
  return ends.map((toMs) => ({ labels: gap.labels, fromMs: toMs - stepMs, toMs, missing }));
}

interface NamedGaps {
  readonly name: string;
  readonly gaps: readonly Gap[];
  readonly samples: number;
}

/** Most names in one selector: its text stays below the 16 KiB that a query may have by default. */
const NAMES_PER_CHUNK = 100;

/**
 * Chunks of whole metric names. Many samples are divided by name rather than by time: the database stores long runs of
 * a series together, so a long window of few series costs it less than a short one of many.
 */
function planNames(
  slice: ComparedSlice,
  window: Window,
  names: readonly NamedGaps[],
  stepMs: number,
  limits: PlanLimits,
): Chunk[] {
  const packs: NamedGaps[][] = [];
  let room = 0;
  for (const named of names) {
    const pack = packs.at(-1);
    if (pack && named.samples <= room && pack.length < NAMES_PER_CHUNK) pack.push(named);
    else {
      packs.push([named]);
      room = limits.samplesPerChunk;
    }
    room -= named.samples;
  }
  const everything = names.length === slice.sourceSeries.size && packs.length === 1;
  return packs.flatMap((pack) => {
    const gaps = pack.flatMap((named) => named.gaps);
    const selector = everything ? slice.selector : [namesMatcher(pack), ...slice.selector];
    return divide([formatSelector(selector)], window, gaps, stepMs, limits);
  });
}

const namesMatcher = (pack: readonly NamedGaps[]): Matcher => {
  const [first, ...more] = pack.map(({ name }) => name);
  if (more.length === 0) return { label: '__name__', operator: '=', value: first ?? '' };
  const value = pack.map(({ name }) => escapeRegex(name)).join('|');
  return { label: '__name__', operator: '=~', value };
};

/** Chunks that name their series one by one. */
function planSeries(
  slice: ComparedSlice,
  window: Window,
  gaps: readonly Gap[],
  stepMs: number,
  limits: PlanLimits,
): Chunk[] {
  const chunks: Chunk[] = [];
  for (let at = 0; at < gaps.length; at += limits.seriesPerChunk) {
    const part = gaps.slice(at, at + limits.seriesPerChunk);
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
  ...scope.filter((matcher) => !Object.hasOwn(labels, matcher.label)),
];

/** One chunk for a stretch, or several of equal length when it holds more samples than a chunk may. */
function divide(
  selectors: readonly string[],
  window: Window,
  gaps: readonly Gap[],
  stepMs: number,
  limits: PlanLimits,
): Chunk[] {
  const samples = missingOf(gaps);
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

const missingOf = (gaps: readonly Gap[]): number =>
  gaps.reduce((total, gap) => total + gap.missing, 0);
