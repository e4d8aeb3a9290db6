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
  type Labels,
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
import type { Pair, SeriesPrint, SiteDatabase } from './ports.ts';

/** What both sides of a comparison are measured by. */
export interface Measure {
  readonly stepMs: number;
  readonly threshold: number;
  /** The longer of the sites' deduplication intervals; 0 for none. */
  readonly dedupMs: number;
  /** True when the sites deduplicate differently: then only occupied intervals can be compared, not counts. */
  readonly dedupDiffers: boolean;
}

export type Depth = 'exact' | 'counts' | 'survey';

/** The result of comparing one selector in one window. */
export interface SliceResult extends ComparedSlice {
  readonly tallied: Tallied;
  /** Buckets in which the destination lacks samples (a gap), and in which the source does, or may (extra on the destination). */
  readonly damaged: readonly Window[];
  readonly damagedBackward: readonly Window[];
}

interface SeriesPair {
  readonly key: string;
  readonly labels: Labels;
  readonly source: Float64Array;
  readonly destination: Float64Array;
}

/** What is known of every bucket of one series at the end. */
interface Judged {
  readonly missing: Float64Array;
  readonly tolerated: Float64Array;
  readonly extra: Float64Array;
  /** Samples of the destination in a gap: by its tallies they may be other ones than the source's. */
  readonly unread: Float64Array;
}

/**
 * Compares one selector in one window, series by series and bucket by bucket. `exact` proves equality by prints, and by
 * the rows themselves where prints cannot tell; `counts` is satisfied with equal counts (for what has been proven
 * before) and becomes exact where they differ; `survey` takes the counts for the truth, both ways. Throws `too-big` when there are more than `mostSeries` series.
 */
export async function compareSlice(
  pair: Pair,
  selector: Selector,
  window: Window,
  depth: Depth,
  measure: Measure,
  options: { readonly mostSeries: number; readonly signal?: AbortSignal | undefined },
): Promise<SliceResult> {
  const request = {
    selector: formatSelector(selector),
    window,
    stepMs: measure.stepMs,
    signal: options.signal,
  };
  const [source, destination] = await Promise.all([
    onceMore(() => readTallies(pair.source, request, options.mostSeries)),
    onceMore(() => readTallies(pair.destination, request, options.mostSeries)),
  ]);
  const series = pairUp(
    source,
    destination,
    Math.round((window.toMs - window.fromMs) / measure.stepMs),
  );
  if (depth === 'survey') return summarise(selector, window, series, byCounts(series), measure);
  const sameCounts = !measure.dedupDiffers && series.every(countsAgree);
  if (depth === 'counts' && sameCounts)
    return summarise(selector, window, series, new Map(), measure);

  const prints = await readPrints(pair, request, series, measure);
  const judged = new Map<string, Judged>();
  const suspects: Suspect[] = [];
  for (const one of series) {
    const verdict = judgeSeries(one, prints, measure);
    judged.set(one.key, verdict.judged);
    if (verdict.suspects.length > 0) suspects.push({ one, buckets: verdict.suspects });
  }
  await lookAtRows(pair, window, suspects, judged, measure, options.signal);
  return summarise(selector, window, series, judged, measure);
}

function byCounts(series: readonly SeriesPair[]): Map<string, Judged> {
  const judged = series.map(({ key, source, destination }) => {
    const lead = (a: Float64Array, b: Float64Array) =>
      a.map((samples, at) => Math.max(0, samples - (b[at] as number)));
    const none = new Float64Array(source.length);
    const [missing, extra] = [lead(source, destination), lead(destination, source)];
    return [key, { missing, tolerated: none, extra, unread: none }] as const;
  });
  return new Map(judged);
}

interface Suspect {
  readonly one: SeriesPair;
  readonly buckets: readonly number[];
}

/**
 * Reads change nothing, so one that broke off is asked again at once: servers and proxies close connections that they
 * kept open, now and then in the middle of an answer. A second failure is the site's own.
 */
async function onceMore<T>(read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    if (errorKind(error) !== 'retryable') throw error;
    return read();
  }
}

async function readTallies(
  site: SiteDatabase,
  request: Parameters<SiteDatabase['tally']>[0],
  mostSeries: number,
): Promise<Map<string, { labels: Labels; samples: Float64Array }>> {
  const found = new Map<string, { labels: Labels; samples: Float64Array }>();
  for await (const series of site.tally(request)) {
    found.set(seriesKey(series.labels), series);
    if (found.size > mostSeries) {
      throw new VmSyncError('too-big', `more than ${mostSeries} series at once on ${site.site}`);
    }
  }
  return found;
}

function pairUp(
  source: ReadonlyMap<string, { labels: Labels; samples: Float64Array }>,
  destination: ReadonlyMap<string, { labels: Labels; samples: Float64Array }>,
  buckets: number,
): SeriesPair[] {
  const nothing = new Float64Array(buckets);
  const pairs: SeriesPair[] = [];
  for (const [key, { labels, samples }] of source) {
    pairs.push({
      key,
      labels,
      source: samples,
      destination: destination.get(key)?.samples ?? nothing,
    });
  }
  for (const [key, { labels, samples }] of destination) {
    if (!source.has(key)) pairs.push({ key, labels, source: nothing, destination: samples });
  }
  return pairs;
}

const countsAgree = (one: SeriesPair): boolean =>
  one.source.every((samples, at) => samples === one.destination[at]);

interface Prints {
  readonly source: ReadonlyMap<string, SeriesPrint>;
  readonly destination: ReadonlyMap<string, SeriesPrint>;
}

/** Widths of a print's sub-intervals, in seconds, widest (and cheapest) first. */
const SLOTS_S = [60, 30, 20, 15, 12, 10, 6, 5, 4, 3, 2, 1];

/**
 * Prints of both sides. Sub-intervals as wide as the samples' distance allows cost least; where one of them turns out to
 * hold two samples, one-second sub-intervals are asked for instead.
 */
async function readPrints(
  pair: Pair,
  request: Parameters<SiteDatabase['tally']>[0],
  series: readonly SeriesPair[],
  measure: Measure,
): Promise<Prints> {
  if (series.every((one) => isEmpty(one.source) || isEmpty(one.destination))) {
    return { source: new Map(), destination: new Map() };
  }
  const read = async (slotMs: number): Promise<Prints> => {
    const [source, destination] = await Promise.all([
      onceMore(() => pair.source.prints({ ...request, slotMs })),
      onceMore(() => pair.destination.prints({ ...request, slotMs })),
    ]);
    return { source, destination };
  };
  const { stepMs, dedupMs } = measure;
  if (dedupMs >= 1_000 && stepMs % dedupMs === 0) return read(dedupMs);
  const most = series.reduce((high, one) => Math.max(high, ...one.source, ...one.destination), 1);
  const slotS =
    SLOTS_S.find((s) => stepMs % (s * 1_000) === 0 && s * 1_000 <= (0.7 * stepMs) / most) ?? 1;
  const prints = await read(slotS * 1_000);
  return slotS === 1 || allDistinct(series, prints) ? prints : read(1_000);
}

const isEmpty = (samples: Float64Array): boolean => samples.every((count) => count === 0);

const allDistinct = (series: readonly SeriesPair[], prints: Prints): boolean =>
  series.every(
    ({ key, source, destination }) =>
      source.every((count, at) => count === (prints.source.get(key)?.occupied[at] ?? 0)) &&
      destination.every((count, at) => count === (prints.destination.get(key)?.occupied[at] ?? 0)),
  );

function judgeSeries(
  one: SeriesPair,
  prints: Prints,
  measure: Measure,
): { judged: Judged; suspects: number[] } {
  const buckets = one.source.length;
  const judged: Judged = {
    missing: new Float64Array(buckets),
    tolerated: new Float64Array(buckets),
    extra: new Float64Array(buckets),
    unread: new Float64Array(buckets),
  };
  const suspects: number[] = [];
  for (let at = 0; at < buckets; at++) {
    const source = bucketTally(one.source, prints.source.get(one.key), at, measure);
    const destination = bucketTally(one.destination, prints.destination.get(one.key), at, measure);
    const verdict = judgeTallies(source, destination, measure.threshold);
    if (verdict === 'suspect') suspects.push(at);
    else if (verdict === 'missing') {
      judged.missing[at] = source.samples - destination.samples;
      judged.unread[at] = destination.samples;
    } else if (verdict === 'extra') judged.extra[at] = destination.samples;
  }
  return { judged, suspects };
}

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

/** Settles the suspect buckets by the rows themselves. */
async function lookAtRows(
  pair: Pair,
  window: Window,
  suspects: readonly Suspect[],
  judged: ReadonlyMap<string, Judged>,
  measure: Measure,
  signal: AbortSignal | undefined,
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
      selectors: batch.map(({ one }) => formatSelector(selectorOf(one.labels))),
      window: makeWindow(grid.fromMs, grid.fromMs + grid.buckets * measure.stepMs),
      signal,
    };
    const [source, destination] = await Promise.all([
      onceMore(() => pair.source.timestamps(request)),
      onceMore(() => pair.destination.timestamps(request)),
    ]);
    for (const { one, buckets } of batch) {
      const result = judged.get(one.key) as Judged;
      const there = source.get(one.key) ?? [];
      const here = destination.get(one.key) ?? [];
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
    `VM export error: ${site.site} (${site.url}) counted ${counted} samples of ${JSON.stringify(one.labels)} and exported ${rows}: the export was cut off, or samples vanished meanwhile; compared again at the next check`,
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
  selector: Selector,
  window: Window,
  series: readonly SeriesPair[],
  judged: ReadonlyMap<string, Judged>,
  measure: Measure,
): SliceResult {
  const gaps: Gap[] = [];
  const extras: Window[] = [];
  const sourceSeries = new Map<string, number>();
  const sums = { ...NOTHING_TALLIED, series: series.length };
  const grid = { fromMs: window.fromMs, stepMs: measure.stepMs };
  for (const one of series) {
    sums.sourceSamples += total(one.source);
    sums.destinationSamples += total(one.destination);
    if (!isEmpty(one.source)) {
      const name = one.labels['__name__'] ?? '';
      sourceSeries.set(name, (sourceSeries.get(name) ?? 0) + 1);
    }
    const result = judged.get(one.key);
    if (!result) continue;
    gaps.push(...gapsOfSeries(one.labels, result.missing, grid));
    for (const extra of [result.extra, result.unread])
      extras.push(...gapsOfSeries(one.labels, extra, grid).map(windowOf));
    sums.missing += total(result.missing);
    sums.tolerated += total(result.tolerated);
    sums.extra += total(result.extra);
  }
  return {
    selector,
    window,
    sourceSeries,
    gaps,
    tallied: { ...sums, gaps: gaps.length },
    damaged: mergeWindows(gaps.map(windowOf)),
    damagedBackward: mergeWindows(extras),
  };
}

const windowOf = (gap: Gap): Window => makeWindow(gap.fromMs, gap.toMs);

const total = (counts: Float64Array): number => counts.reduce((sum, count) => sum + count, 0);
