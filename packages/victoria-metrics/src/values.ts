import { seriesKey } from '@vm-sync/core';
import type { Endpoint } from './endpoint.ts';
import { emptyGrid, type Grid, readPoints } from './grid.ts';
import { MatrixError, type MatrixSeries } from './matrix.ts';
import { readValue } from './number.ts';
import {
  queryBatches,
  queryRange,
  type SelectionRequest,
  type TallyRequest,
  unionOf,
} from './query.ts';
import { exportLines } from './rows.ts';
import { AnsweredSeries } from './series.ts';
import { duration } from './time.ts';

/** The sums of the values of one series, a number for each bucket of the window. */
export class SeriesSums extends AnsweredSeries {
  /** The points as the server wrote them. */
  readonly sumText: string;
  readonly #grid: Grid;

  constructor(endpoint: Endpoint, { metric, values }: MatrixSeries, grid: Grid) {
    super(endpoint, metric);
    this.sumText = values;
    this.#grid = grid;
  }

  /** Not a number where the server has no point: there is none for samples of `+Inf` and `-Inf` together. */
  get sums(): Float64Array {
    try {
      return readSums(this.sumText, this.#grid);
    } catch (error) {
      if (error instanceof MatrixError) throw this.endpoint.strange('query', error.message);
      throw error;
    }
  }
}

/** Streams the sums of values of every series that has samples in the window, in the server's order. */
export async function* sums(endpoint: Endpoint, request: TallyRequest): AsyncGenerator<SeriesSums> {
  const { selector, stepMs } = request;
  const query = `sum_over_time(${selector}[${duration(stepMs)}]) keep_metric_names`;
  const answer = queryRange(
    endpoint,
    query,
    request,
    (series) => new SeriesSums(endpoint, series, request),
  );
  for await (const part of answer) for (const series of part) yield series;
}

function readSums(text: string, grid: Grid): Float64Array {
  const numbers = emptyGrid(grid).fill(Number.NaN);
  for (const { at, text: value } of readPoints(text, grid)) {
    const sum = readValue(value);
    if (sum === undefined) throw new MatrixError(`a sum that is none: ${value.slice(0, 100)}`);
    numbers[at] = sum;
  }
  return numbers;
}

/** Samples of one series in the order of time. */
export interface SeriesValues {
  readonly timestamps: Float64Array;
  readonly values: Float64Array;
}

/** The samples of a window with their values, by series key. Memory: 16 bytes a sample, so ask for bounded windows only. */
export async function readValues(
  endpoint: Endpoint,
  request: SelectionRequest,
): Promise<Map<string, SeriesValues>> {
  const found = new Map<string, [number, number][]>();
  const answer = exportLines(endpoint, request, (line) => {
    const { labels, timestamps } = line;
    const key = seriesKey(labels);
    const samples = found.get(key) ?? [];
    found.set(key, samples);
    for (const [at, text] of line.values(timestamps.length).entries()) {
      const value = readValue(text);
      // Staleness markers are no samples.
      if (value !== undefined && !Number.isNaN(value))
        samples.push([timestamps[at] as number, value]);
    }
  });
  for await (const _ of answer);
  return new Map([...found].map(([key, samples]) => [key, inOrder(samples)]));
}

function inOrder(samples: [number, number][]): SeriesValues {
  samples.sort(([a], [b]) => a - b);
  return {
    timestamps: Float64Array.from(samples, ([atMs]) => atMs),
    values: Float64Array.from(samples, ([, value]) => value),
  };
}

/** The largest magnitude of each series' values in the window, by series key. */
export async function peaks(
  endpoint: Endpoint,
  request: SelectionRequest,
): Promise<Map<string, number>> {
  const { window, signal } = request;
  const stepMs = window.toMs - window.fromMs;
  const found = new Map<string, number>();
  for (const batch of queryBatches(request.selectors)) {
    for (const rollup of ['max_over_time', 'min_over_time']) {
      const each = batch.map(
        (selector) => `${rollup}(${selector}[${duration(stepMs)}]) keep_metric_names`,
      );
      const answer = queryRange(
        endpoint,
        unionOf(each),
        { window, stepMs, signal },
        (series) => new SeriesSums(endpoint, series, { window, stepMs }),
      );
      for await (const part of answer) {
        for (const { labels, sums: values } of part) {
          const key = seriesKey(labels);
          found.set(key, Math.max(found.get(key) ?? 0, Math.abs(values[0] || 0)));
        }
      }
    }
  }
  return found;
}
