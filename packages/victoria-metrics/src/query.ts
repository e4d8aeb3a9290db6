import { type Labels, seriesKey, type Window } from '@vm-sync/core';
import type { Endpoint } from './endpoint.ts';
import { MatrixError, readMatrix } from './matrix.ts';
import { duration, rangeBounds } from './time.ts';

/** The counts of one series, a number for each bucket of the window; 0 where the server has no point. */
export interface SeriesTally {
  readonly labels: Labels;
  readonly samples: Float64Array;
}

/** What tells apart buckets of equal counts (see `BucketTally` in the core). */
export interface SeriesPrint {
  readonly occupied: Float64Array;
  readonly print: Float64Array;
}

export interface TallyRequest {
  /** One selector as text. */
  readonly selector: string;
  readonly window: Window;
  readonly stepMs: number;
  readonly signal?: AbortSignal | undefined;
}

/** Queries are given up by the server after this long; they are then asked in smaller parts. */
const QUERY_TIMEOUT_MS = 30_000;

/** Streams the exact sample counts of every series that has samples in the window. */
export async function* tally(
  endpoint: Endpoint,
  request: TallyRequest,
): AsyncGenerator<SeriesTally> {
  const { selector, stepMs } = request;
  const query = `count_over_time(${selector}[${duration(stepMs)}]) keep_metric_names`;
  for await (const series of queryRange(endpoint, query, request)) {
    yield { labels: series.labels, samples: onGrid(endpoint, series.values, request) };
  }
}

/**
 * The prints of every series in the window, by series key. `slotMs` is the width of the sub-intervals. Series with a
 * label named `rollup` are left out, so that their buckets are compared by their rows: the print's own label of that
 * name would overwrite theirs, and several series would silently fall into one (measured).
 */
export async function prints(
  endpoint: Endpoint,
  request: TallyRequest & { readonly slotMs: number },
): Promise<Map<string, SeriesPrint>> {
  const slot = duration(request.slotMs);
  const step = duration(request.stepMs);
  const selector = withMatcher(request.selector, 'rollup=""');
  const last = `tlast_over_time(${selector}[${slot}]) keep_metric_names`;
  const query = `aggr_over_time(("count_over_time","sum_over_time"),(sin(${last}) keep_metric_names)[${step}:${slot}]) keep_metric_names`;
  const found = new Map<string, { occupied?: Float64Array; print?: Float64Array }>();
  for await (const series of queryRange(endpoint, query, request)) {
    const { rollup, ...labels } = series.labels;
    const key = seriesKey(labels);
    const entry = found.get(key) ?? {};
    found.set(key, entry);
    const grid = onGrid(endpoint, series.values, request);
    if (rollup === 'count_over_time') entry.occupied = grid;
    else entry.print = grid;
  }
  const buckets = Math.round((request.window.toMs - request.window.fromMs) / request.stepMs);
  const nothing = new Float64Array(buckets);
  return new Map(
    [...found].map(([key, { occupied = nothing, print = nothing }]) => [key, { occupied, print }]),
  );
}

/** The selector with one more condition. */
function withMatcher(selector: string, matcher: string): string {
  const at = selector.lastIndexOf('}');
  return at < 0 ? `${selector}{${matcher}}` : `${selector.slice(0, at)},${matcher}}`;
}

/** How many samples the window holds in all. */
export async function totalSamples(
  endpoint: Endpoint,
  request: Omit<TallyRequest, 'stepMs'>,
): Promise<number> {
  const stepMs = request.window.toMs - request.window.fromMs;
  const query = `sum(count_over_time(${request.selector}[${duration(stepMs)}]))`;
  let total = 0;
  for await (const { values } of queryRange(endpoint, query, { ...request, stepMs })) {
    total += wholeNumber(endpoint, values[0]?.[1] ?? '');
  }
  return total;
}

/** Texts of queries are refused from 16 KiB on by default. */
const QUERY_MOST = 12_000;

/** How many samples each series holds in the window, by series key, for any number of selectors. */
export async function counts(
  endpoint: Endpoint,
  request: {
    readonly selectors: readonly string[];
    readonly window: Window;
    readonly signal?: AbortSignal | undefined;
  },
): Promise<Map<string, number>> {
  const { window, signal } = request;
  const stepMs = window.toMs - window.fromMs;
  const found = new Map<string, number>();
  for (const batch of queryBatches(request.selectors)) {
    const counted = batch.map(
      (selector) => `count_over_time(${selector}[${duration(stepMs)}]) keep_metric_names`,
    );
    const query = batch.length === 1 ? (counted[0] as string) : `union(${counted})`;
    for await (const { labels, values } of queryRange(endpoint, query, {
      window,
      stepMs,
      signal,
    })) {
      found.set(seriesKey(labels), wholeNumber(endpoint, values[0]?.[1] ?? ''));
    }
  }
  return found;
}

function queryBatches(selectors: readonly string[]): string[][] {
  const batches: string[][] = [];
  let length = 0;
  for (const selector of selectors) {
    const more = selector.length + 60;
    if (batches.length === 0 || length + more > QUERY_MOST) {
      batches.push([]);
      length = 0;
    }
    (batches.at(-1) as string[]).push(selector);
    length += more;
  }
  return batches;
}

async function* queryRange(
  endpoint: Endpoint,
  query: string,
  request: Omit<TallyRequest, 'selector'>,
): AsyncGenerator<{ labels: Labels; values: readonly (readonly [number, string])[] }> {
  const response = await endpoint.call({
    act: 'query',
    method: 'POST',
    path: '/api/v1/query_range',
    form: new URLSearchParams({
      query,
      ...rangeBounds(request.window, request.stepMs),
      // The rollup cache does not know of backfilled samples.
      nocache: '1',
      timeout: duration(QUERY_TIMEOUT_MS),
    }),
    signal: request.signal,
  });
  try {
    yield* readMatrix(response.body);
  } catch (error) {
    if (error instanceof MatrixError) throw endpoint.strange('query', error.message);
    throw endpoint.broken('query', error);
  } finally {
    response.body.destroy();
  }
}

function onGrid(
  endpoint: Endpoint,
  values: readonly (readonly [number, string])[],
  { window, stepMs }: { readonly window: Window; readonly stepMs: number },
): Float64Array {
  const grid = new Float64Array(Math.round((window.toMs - window.fromMs) / stepMs));
  for (const [atSeconds, text] of values) {
    const at = Math.round((atSeconds * 1000 - window.fromMs) / stepMs) - 1;
    const value = Number(text);
    if (!(at >= 0 && at < grid.length) || !Number.isFinite(value)) {
      throw endpoint.strange('query', `a point outside of what was asked: ${atSeconds} ${text}`);
    }
    grid[at] = value;
  }
  return grid;
}

function wholeNumber(endpoint: Endpoint, text: string): number {
  const value = Number(text);
  if (text === '' || !Number.isSafeInteger(value) || value < 0) {
    throw endpoint.strange('query', `a count that is none: ${text}`);
  }
  return value;
}
