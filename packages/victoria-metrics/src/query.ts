import { seriesKey, type Window } from '@vm-sync/core';
import type { Endpoint } from './endpoint.ts';
import { GridReader } from './grid.ts';
import { MatrixError, type MatrixSeries, readMatrix } from './matrix.ts';
import { SeriesTally } from './series.ts';
import { duration, rangeBounds } from './time.ts';

export interface TallyRequest {
  /** One selector as text. */
  readonly selector: string;
  readonly window: Window;
  readonly stepMs: number;
  readonly signal?: AbortSignal | undefined;
}

/** Selectors as text, and the window in which their series are looked at. */
export interface SelectionRequest {
  readonly selectors: readonly string[];
  readonly window: Window;
  readonly signal?: AbortSignal | undefined;
}

/** Queries are given up by the server after this long; they are then asked in smaller parts. */
export const QUERY_TIMEOUT_MS = 30_000;

/** Streams the exact sample counts of every series that has samples in the window, in the server's order. */
export async function* tally(
  endpoint: Endpoint,
  request: TallyRequest,
): AsyncGenerator<SeriesTally> {
  const { selector, stepMs } = request;
  const query = `count_over_time(${selector}[${duration(stepMs)}]) keep_metric_names`;
  const grid = new GridReader(request);
  const answer = queryRange(
    endpoint,
    query,
    request,
    ({ metric, values }) => new SeriesTally(endpoint, metric, grid.read(values)),
  );
  for await (const part of answer) for (const series of part) yield series;
}

/** Texts of queries are refused from 16 KiB on by default. */
const QUERY_MOST = 12_000;

/**
 * How many samples the window holds in all. Series that several selectors meet are counted several times: every
 * selector is summed by itself, because a server sums up without keeping the series, but cannot join without keeping
 * them.
 */
export async function totalSamples(endpoint: Endpoint, request: SelectionRequest): Promise<number> {
  const stepMs = request.window.toMs - request.window.fromMs;
  let total = 0;
  for (const batch of queryBatches(request.selectors)) {
    const sums = batch.map((selector) => `sum(count_over_time(${selector}[${duration(stepMs)}]))`);
    // Results without labels would be one and the same to `union`.
    const marked = sums.map((sum, at) => `label_set(${sum},"selector","${at}")`);
    const open = new Set(batch.map((_, at) => String(at)));
    for (const { series, samples } of await countAll(endpoint, unionOf(marked), request)) {
      const { selector } = series.labels;
      if (!open.delete(selector ?? ''))
        throw endpoint.strange('query', 'sums of something else than was asked for');
      total += samples;
    }
  }
  return total;
}

/** Samples by the value of a label, or of all series together (by ''), bucket by bucket. The server sums up. */
export async function countsBy(
  endpoint: Endpoint,
  label: string | undefined,
  request: TallyRequest,
): Promise<Map<string, Float64Array>> {
  const { selector, stepMs } = request;
  const counted = `count_over_time(${selector}[${duration(stepMs)}]) keep_metric_names`;
  const query = label === undefined ? `sum(${counted})` : `sum(${counted}) by (${label})`;
  const grid = new GridReader(request);
  const answer = queryRange(endpoint, query, request, ({ metric, values }) => {
    const { labels, samples } = new SeriesTally(endpoint, metric, grid.read(values));
    const own = label !== undefined && Object.hasOwn(labels, label) ? labels[label] : undefined;
    return [own ?? '', samples] as const;
  });
  const sums = new Map<string, Float64Array>();
  for await (const part of answer) {
    for (const [value, samples] of part) {
      if (sums.has(value)) throw endpoint.strange('query', 'two sums of the same series');
      sums.set(value, samples);
    }
  }
  return sums;
}

/** How many samples each series holds in the window, by series key; a series that several selectors meet comes once. */
export async function counts(
  endpoint: Endpoint,
  request: SelectionRequest,
): Promise<Map<string, number>> {
  const stepMs = request.window.toMs - request.window.fromMs;
  const found = new Map<string, number>();
  for (const batch of queryBatches(request.selectors)) {
    const counted = batch.map(
      (selector) => `count_over_time(${selector}[${duration(stepMs)}]) keep_metric_names`,
    );
    const answer = await countAll(endpoint, unionOf(counted), request);
    for (const { series, samples } of answer) found.set(seriesKey(series.labels), samples);
  }
  return found;
}

/** The results of all of them, each series once. */
export const unionOf = (queries: readonly string[]): string =>
  queries.length === 1 ? (queries[0] as string) : `union(${queries})`;

/** Selectors whose queries fit into one text together. */
export function queryBatches(selectors: readonly string[]): string[][] {
  const batches: string[][] = [];
  let length = 0;
  for (const selector of selectors) {
    const more = selector.length + 80;
    if (batches.length === 0 || length + more > QUERY_MOST) {
      batches.push([]);
      length = 0;
    }
    (batches.at(-1) as string[]).push(selector);
    length += more;
  }
  return batches;
}

/** The one count of every series of an answer. */
async function countAll(
  endpoint: Endpoint,
  query: string,
  { window, signal }: Omit<SelectionRequest, 'selectors'>,
): Promise<{ series: SeriesTally; samples: number }[]> {
  const request = { window, stepMs: window.toMs - window.fromMs, signal };
  const grid = new GridReader(request);
  const answer = queryRange(endpoint, query, request, ({ metric, values }) => {
    if (values === '') throw new MatrixError('a count that is none');
    const counted = grid.read(values);
    return { series: new SeriesTally(endpoint, metric, counted), samples: counted[0] ?? 0 };
  });
  const all: { series: SeriesTally; samples: number }[] = [];
  for await (const part of answer) all.push(...part);
  return all;
}

/**
 * Asks a range query and streams what `read` makes of the series, those of a part of the answer at a time: a generator
 * that handed them on one by one would take longer than reading them.
 */
export async function* queryRange<T>(
  endpoint: Endpoint,
  query: string,
  request: Omit<TallyRequest, 'selector'>,
  read: (series: MatrixSeries) => T,
): AsyncGenerator<readonly T[]> {
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
    for await (const part of readMatrix(response.body)) yield part.map(read);
  } catch (error) {
    if (error instanceof MatrixError) throw endpoint.strange('query', error.message);
    throw endpoint.broken('query', error);
  } finally {
    response.body.destroy();
  }
}
