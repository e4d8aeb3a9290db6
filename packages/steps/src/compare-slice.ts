import {
  type BucketTally,
  type ComparedSlice,
  differenceByBucket,
  errorKind,
  formatSelector,
  type Gap,
  gapsOfSeries,
  judgeRows,
  judgeTallies,
  makeWindow,
  mergeWindows,
  NOTHING_TALLIED,
  type Selector,
  selectorOf,
  seriesKey,
  type Tallied,
  VmSyncError,
  type Window,
} from '@vm-sync/core';
import { compareCounts, either, sameCounts, totalOf } from './compare-counts.ts';
import type { ValueLook } from './compare-values.ts';
import { nameOf, pairUp } from './pair-up.ts';
import type { Pair, SeriesPrint, SeriesTally, SiteDatabase, TallyRequest } from './ports.ts';

/** What both sides of a comparison are measured by. */
export interface Measure {
  readonly stepMs: number;
  readonly threshold: number;
  /** The longer of the sites' deduplication intervals; 0 for none. */
  readonly dedupMs: number;
  /** True when the sites deduplicate differently: then only occupied intervals can be compared, not counts. */
  readonly dedupDiffers: boolean;
  /** Buckets that are there in part are counted by their rows, not by tallies: exact, and dearer. */
  readonly byRows?: true | undefined;
}

export type Depth = 'exact' | 'counts';

/** The result of comparing one selector in one window. */
export interface SliceResult extends ComparedSlice {
  readonly tallied: Tallied;
  /** The most series of the source at once in the window that a part of it is sought in. */
  readonly present?: { readonly window: Window; readonly series: number } | undefined;
  /** Buckets in which the destination lacks samples (a gap), and in which the source does, or may (extra on the destination). */
  readonly damaged: readonly Window[];
  readonly damagedBackward: readonly Window[];
}

/** One selector in one window, to be compared. */
export interface SliceQuestion {
  readonly pair: Pair;
  /** What is compared as a whole; `selector` is this, or a part of it. */
  readonly scope: Selector;
  readonly selector: Selector;
  readonly window: Window;
  readonly measure: Measure;
  /** More series than this are not held in memory: throws `too-big`. */
  readonly mostSeries: number;
  /** Given where values are looked at as well. */
  readonly values?: ValueLook | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** What both sites count of one series. */
interface SeriesPair {
  readonly tally: SeriesTally;
  readonly source: Float64Array;
  readonly destination: Float64Array;
}

/** What is known of every bucket of one series at the end. */
interface Judged {
  readonly missing: Float64Array;
  readonly tolerated: Float64Array;
  readonly extra: Float64Array;
}

/**
 * Compares one selector in one window, series by series and bucket by bucket. `exact` proves equality by prints, and by
 * the rows themselves where prints cannot tell; `counts` is satisfied with equal counts (for what has been proven
 * before) and becomes exact where they differ. Reads change nothing, so a comparison that broke off is made again at
 * once: servers and proxies close connections that they kept open, now and then in the middle of an answer. A second
 * failure is the site's own.
 */
export async function compareSlice(question: SliceQuestion, depth: Depth): Promise<SliceResult> {
  const act = async () =>
    (depth === 'counts' ? await ifCountsAgree(question) : undefined) ?? compareExactly(question);
  try {
    return await act();
  } catch (error) {
    if (errorKind(error) !== 'retryable' || question.signal?.aborted) throw error;
    return act();
  }
}

/** The result of a slice in which every count agrees; undefined where it has to be looked at exactly. */
async function ifCountsAgree(question: SliceQuestion): Promise<SliceResult | undefined> {
  const { scope, window, measure } = question;
  if (measure.dedupDiffers) return undefined;
  const counted = await compareCounts({ ...question, stepMs: measure.stepMs, mostDiffering: 0 });
  if (!counted) return undefined;
  const { series, sourceSamples, destinationSamples } = counted;
  return {
    scope,
    window,
    names: new Map(),
    gaps: [],
    tallied: { ...NOTHING_TALLIED, series, sourceSamples, destinationSamples },
    damaged: [],
    damagedBackward: [],
  };
}

async function compareExactly(question: SliceQuestion): Promise<SliceResult> {
  const series = await readTallies(question);
  const judged = new Map<SeriesPair, Judged>();
  const suspects: Suspect[] = [];
  const judge = (one: SeriesPair, source?: SeriesPrint, destination?: SeriesPrint) => {
    const verdict = judgeSeries(one, source, destination, question.measure);
    if (verdict.judged) judged.set(one, verdict.judged);
    if (verdict.suspects.length > 0) suspects.push({ one, buckets: verdict.suspects });
  };
  const unprinted = await judgeByPrints(question, series, judge);
  for (const one of unprinted) judge(one);
  await lookAtRows(question, suspects, judged);
  await lookAtValues(question, series, judged);
  return summarise(question, series, judged);
}

async function readTallies(question: SliceQuestion): Promise<SeriesPair[]> {
  const { pair, window, measure, mostSeries } = question;
  const request = requestOf(question);
  const nothing = new Float64Array(Math.round((window.toMs - window.fromMs) / measure.stepMs));
  const series: SeriesPair[] = [];
  for await (const paired of pairUp(pair.source.tally(request), pair.destination.tally(request))) {
    series.push({
      tally: either(paired),
      source: paired.source?.samples ?? nothing,
      destination: paired.destination?.samples ?? nothing,
    });
    if (series.length > mostSeries) {
      throw new VmSyncError('too-big', `more than ${mostSeries} series at once`);
    }
  }
  return series;
}

/** Looks at the values of what both sites hold, which changes nothing in the result. */
async function lookAtValues(
  question: SliceQuestion,
  series: readonly SeriesPair[],
  judged: ReadonlyMap<SeriesPair, Judged>,
): Promise<void> {
  // Where sites deduplicate differently, their sums are of different samples.
  if (!question.values || question.measure.dedupDiffers) return;
  const byMetric = new Map(series.map((one) => [one.tally.metric, one]));
  await question.values.compare(question.pair, requestOf(question), (metric) => {
    const one = byMetric.get(metric);
    if (!one) return undefined;
    const result = judged.get(one);
    const lacksNothing = (at: number) =>
      result === undefined ||
      (result.missing[at] === 0 && result.tolerated[at] === 0 && result.extra[at] === 0);
    return {
      tally: one.tally,
      isAlike: (at) => one.source[at] === one.destination[at] && lacksNothing(at),
    };
  });
}

const requestOf = ({ selector, window, measure, signal }: SliceQuestion): TallyRequest => ({
  selector: formatSelector(selector),
  window,
  stepMs: measure.stepMs,
  signal,
});

/** Widths of a print's sub-intervals, in seconds, widest (and cheapest) first. */
const SLOTS_S = [60, 30, 20, 15, 12, 10, 6, 5, 4, 3, 2, 1];

type Judge = (one: SeriesPair, source?: SeriesPrint, destination?: SeriesPrint) => void;

/**
 * Judges series by the prints of both sides, and answers with those that have none. Sub-intervals as wide as the
 * samples' distance allows cost least; series of which one of them turns out to hold two samples are judged by one-second
 * sub-intervals instead.
 */
async function judgeByPrints(
  question: SliceQuestion,
  series: readonly SeriesPair[],
  judge: Judge,
): Promise<Iterable<SeriesPair>> {
  if (series.every((one) => totalOf(one.source) === 0 || totalOf(one.destination) === 0)) {
    return series;
  }
  const slotMs = slotOf(series, question.measure);
  const left = new Map(series.map((one) => [one.tally.metric, one]));
  const crowded = new Map<string, SeriesPair>();
  for await (const { one, source, destination } of readPrints(question, slotMs, left)) {
    left.delete(one.tally.metric);
    if (slotMs > 1_000 && question.measure.dedupMs < 1_000 && isCrowded(one, source, destination)) {
      crowded.set(one.tally.metric, one);
    } else judge(one, source, destination);
  }
  if (crowded.size > 0) {
    for await (const { one, source, destination } of readPrints(question, 1_000, crowded)) {
      crowded.delete(one.tally.metric);
      judge(one, source, destination);
    }
  }
  return [...left.values(), ...crowded.values()];
}

function slotOf(series: readonly SeriesPair[], { stepMs, dedupMs }: Measure): number {
  if (dedupMs >= 1_000 && stepMs % dedupMs === 0) return dedupMs;
  const lists = new Set(series.flatMap((one) => [one.source, one.destination]));
  const most = [...lists].reduce((high, samples) => Math.max(high, ...samples), 1);
  const fits = (s: number) => stepMs % (s * 1_000) === 0 && s * 1_000 <= (0.7 * stepMs) / most;
  return (SLOTS_S.find(fits) ?? 1) * 1_000;
}

interface Printed {
  readonly one: SeriesPair;
  readonly source: SeriesPrint | undefined;
  readonly destination: SeriesPrint | undefined;
}

/** The prints of the wanted series, by the label set of their tally. */
async function* readPrints(
  question: SliceQuestion,
  slotMs: number,
  wanted: ReadonlyMap<string, SeriesPair>,
): AsyncGenerator<Printed> {
  const { pair } = question;
  const request = { ...requestOf(question), slotMs };
  const prints = pairUp(pair.source.prints(request), pair.destination.prints(request));
  for await (const { source, destination } of prints) {
    const one =
      (source && wanted.get(source.metric)) ?? (destination && wanted.get(destination.metric));
    // A series that came between the two questions is compared by the next check.
    if (one) yield { one, source, destination };
  }
}

const isCrowded = (one: SeriesPair, source?: SeriesPrint, destination?: SeriesPrint): boolean =>
  !(
    (source ? sameCounts(one.source, source.occupied) : totalOf(one.source) === 0) &&
    (destination
      ? sameCounts(one.destination, destination.occupied)
      : totalOf(one.destination) === 0)
  );

function judgeSeries(
  one: SeriesPair,
  there: SeriesPrint | undefined,
  here: SeriesPrint | undefined,
  measure: Measure,
): { judged?: Judged; suspects: readonly number[] } {
  if (areAlike(one, there, here)) return { suspects: [] };
  const buckets = one.source.length;
  const judged = nothingJudged(buckets);
  const suspects: number[] = [];
  for (let at = 0; at < buckets; at++) {
    const source = bucketTally(one.source, there, at, measure);
    const destination = bucketTally(one.destination, here, at, measure);
    const verdict = judgeTallies(source, destination, measure.byRows ? 0 : measure.threshold);
    if (verdict === 'suspect') suspects.push(at);
    else if (verdict === 'missing') judged.missing[at] = source.samples - destination.samples;
    else if (verdict === 'extra') judged.extra[at] = destination.samples;
  }
  return { judged, suspects };
}

/** The usual case, without a look at single buckets: same counts, all of them covered by the same prints. */
const areAlike = (one: SeriesPair, there?: SeriesPrint, here?: SeriesPrint): boolean =>
  there !== undefined &&
  here !== undefined &&
  there.printText === here.printText &&
  sameCounts(one.source, one.destination) &&
  sameCounts(one.source, there.occupied) &&
  sameCounts(one.source, here.occupied);

const nothingJudged = (buckets: number): Judged => ({
  missing: new Float64Array(buckets),
  tolerated: new Float64Array(buckets),
  extra: new Float64Array(buckets),
});

function bucketTally(
  counts: Float64Array,
  print: SeriesPrint | undefined,
  at: number,
  measure: Measure,
): BucketTally {
  const occupied = print?.occupied[at];
  const samples = counts[at] as number;
  if (measure.dedupDiffers && occupied !== undefined) {
    return { samples: occupied, occupied, print: print?.print[at] };
  }
  return { samples, occupied, print: print?.print[at] };
}

/** Bounds one look at the rows: so many series, and about so many samples of each side, are held in memory. */
const SERIES_PER_LOOK = 200;
const SAMPLES_PER_LOOK = 500_000;

interface Suspect {
  readonly one: SeriesPair;
  readonly buckets: readonly number[];
}

/** Settles the suspect buckets by the rows themselves. */
async function lookAtRows(
  { pair, window, measure, signal }: SliceQuestion,
  suspects: readonly Suspect[],
  judged: ReadonlyMap<SeriesPair, Judged>,
): Promise<void> {
  for (const batch of batches(suspects)) {
    const first = Math.min(...batch.map(({ buckets }) => buckets[0] as number));
    const last = Math.max(...batch.map(({ buckets }) => buckets.at(-1) as number));
    const grid = {
      fromMs: window.fromMs + first * measure.stepMs,
      stepMs: measure.stepMs,
      buckets: last - first + 1,
    };
    const request = {
      selectors: batch.map(({ one }) => formatSelector(selectorOf(one.tally.labels))),
      window: makeWindow(grid.fromMs, grid.fromMs + grid.buckets * measure.stepMs),
      signal,
    };
    const [source, destination] = await Promise.all([
      pair.source.timestamps(request),
      pair.destination.timestamps(request),
    ]);
    for (const { one, buckets } of batch) {
      const result = judged.get(one) as Judged;
      const key = seriesKey(one.tally.labels);
      const there = source.get(key) ?? [];
      const here = destination.get(key) ?? [];
      assertRowsComplete(pair.source, one, one.source, there.length, first, last, measure);
      assertRowsComplete(pair.destination, one, one.destination, here.length, first, last, measure);
      const differences = differenceByBucket(there, here, grid, measure.dedupMs);
      for (const at of buckets) {
        const difference = differences[at - first] as (typeof differences)[number];
        const verdict = judgeRows(difference, measure.threshold);
        if (verdict === 'missing') result.missing[at] = difference.missing;
        else result.tolerated[at] = difference.missing;
        result.extra[at] = difference.extra;
      }
    }
  }
}

/** An export that ends cleanly may still be cut (behind a proxy): rows must be as many as were counted. */
function assertRowsComplete(
  site: SiteDatabase,
  one: SeriesPair,
  counts: Float64Array,
  rows: number,
  first: number,
  last: number,
  measure: Measure,
): void {
  const counted = counts.subarray(first, last + 1).reduce((sum, count) => sum + count, 0);
  if (rows >= counted || measure.dedupDiffers) return;
  throw new VmSyncError(
    'retryable',
    `VM export error: ${site.site} (${site.url}) counted ${counted} samples of ${JSON.stringify(one.tally.labels)} and exported ${rows}: the export was cut off, or samples vanished meanwhile; compared again at the next check`,
  );
}

function* batches(suspects: readonly Suspect[]): Generator<Suspect[]> {
  let batch: Suspect[] = [];
  let samples = 0;
  for (const suspect of suspects) {
    const { source, destination } = suspect.one;
    const size = source.reduce((sum, count, at) => sum + Math.max(count, destination[at] ?? 0), 0);
    if (
      batch.length > 0 &&
      (batch.length >= SERIES_PER_LOOK || samples + size > SAMPLES_PER_LOOK)
    ) {
      yield batch;
      batch = [];
      samples = 0;
    }
    batch.push(suspect);
    samples += size;
  }
  if (batch.length > 0) yield batch;
}

function summarise(
  { scope, window, measure }: SliceQuestion,
  series: readonly SeriesPair[],
  judged: ReadonlyMap<SeriesPair, Judged>,
): SliceResult {
  const gaps: Gap[] = [];
  const extras: Window[] = [];
  const names = new Map<string, { series: number; samples: number }>();
  const sums = { ...NOTHING_TALLIED, series: series.length };
  const grid = { fromMs: window.fromMs, stepMs: measure.stepMs };
  for (const one of series) {
    const samples = totalOf(one.source);
    sums.sourceSamples += samples;
    sums.destinationSamples += totalOf(one.destination);
    if (samples > 0) countName(names, nameOf(one.tally), samples);
    const result = judged.get(one);
    if (!result) continue;
    const { labels } = one.tally;
    const lacking = gapsOfSeries(labels, result.missing, grid, one.destination);
    gaps.push(...lacking);
    // Samples of the destination in a gap may by its tallies be other ones than the source's.
    const unread = one.destination.map((held, at) =>
      (result.missing[at] as number) > 0 ? held : 0,
    );
    for (const extra of [result.extra, unread]) {
      extras.push(...gapsOfSeries(labels, extra, grid).map(windowOf));
    }
    sums.missing += sum(result.missing);
    sums.tolerated += sum(result.tolerated);
    sums.extra += sum(result.extra);
    sums.gaps += countGaps(lacking);
  }
  return {
    scope,
    window,
    names,
    gaps,
    tallied: sums,
    damaged: mergeWindows(gaps.map(windowOf)),
    damagedBackward: mergeWindows(extras),
  };
}

function countName(
  names: Map<string, { series: number; samples: number }>,
  name: string,
  samples: number,
): void {
  const there = names.get(name) ?? { series: 0, samples: 0 };
  there.series += 1;
  there.samples += samples;
  names.set(name, there);
}

/** For people, a stretch that the destination lacks in part and its neighbour that it lacks wholly are one gap. */
const countGaps = (gaps: readonly Gap[]): number =>
  gaps.filter((gap, at) => gaps[at - 1]?.toMs !== gap.fromMs).length;

const windowOf = (gap: Gap): Window => makeWindow(gap.fromMs, gap.toMs);

const sum = (counts: Float64Array): number => counts.reduce((total, count) => total + count, 0);
