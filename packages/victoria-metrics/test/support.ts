import { seriesKey, VmSyncError, type Window } from '@vm-sync/core';
import type { Series, VmServer, VmVersion } from '@vm-sync/testkit';
import { vmVersions } from '@vm-sync/testkit';
import { onTestFinished } from 'vitest';
import { type EndpointOptions, VictoriaMetrics } from '../src/index.ts';

export const minute = 60_000;
export const hour = 60 * minute;
/**
 * The end of a full hour that every retention still holds and that is old enough for every cache. Never midnight: a
 * series that begins there is not found by 1.79.5 in a window that ends there (measured).
 */
const anyTopMs = Math.floor(Date.now() / hour) * hour - 2 * hour;
export const topMs = anyTopMs % (24 * hour) === 0 ? anyTopMs - hour : anyTopMs;

export const everything = '{__name__!=""}';

/** All four pairs of versions, source first. */
export const versionPairs: [VmVersion, VmVersion][] = vmVersions.flatMap((source) =>
  vmVersions.map((destination): [VmVersion, VmVersion] => [source, destination]),
);

/** A client that is closed at the end of the test. */
export function client(
  url: string,
  options: Partial<Omit<EndpointOptions, 'url'>> = {},
): VictoriaMetrics {
  const database = new VictoriaMetrics({ site: 'primary', ...options, url });
  onTestFinished(() => database.close());
  return database;
}

/** The error that a promise must end with. */
export async function errorOf(promise: Promise<unknown>): Promise<VmSyncError> {
  const outcome = await promise.then(
    (value) => ({ value }),
    (error: unknown) => ({ error }),
  );
  if (!('error' in outcome)) {
    throw new Error(`expected an error, got ${JSON.stringify(outcome.value)?.slice(0, 500)}`);
  }
  if (!(outcome.error instanceof VmSyncError)) throw outcome.error;
  return outcome.error;
}

export async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}

/** Prints by series key, as plain numbers. */
export async function printsOf(
  database: VictoriaMetrics,
  request: Parameters<VictoriaMetrics['prints']>[0],
): Promise<Map<string, { occupied: number[]; print: number[] }>> {
  const all = await collect(database.prints(request));
  return new Map(
    all.map(({ labels, occupied, print }) => [
      seriesKey(labels),
      { occupied: [...occupied], print: [...print] },
    ]),
  );
}

export type Tallies = Map<string, number[]>;

/** Counts by the value of one label, which must tell the series apart. */
export async function talliesBy(
  label: string,
  database: VictoriaMetrics,
  request: Parameters<VictoriaMetrics['tally']>[0],
): Promise<Tallies> {
  const all = await collect(database.tally(request));
  return new Map(all.map(({ labels, samples }) => [labels[label] ?? '', [...samples]]));
}

/** What a tally must say: the samples of each bucket `(end - step, end]`. */
export function countsOf(series: Series, window: Window, stepMs: number): number[] {
  const buckets = (window.toMs - window.fromMs) / stepMs;
  return Array.from({ length: buckets }, (_, at) => {
    const fromMs = window.fromMs + at * stepMs;
    return series.timestamps.filter((time) => time > fromMs && time <= fromMs + stepMs).length;
  });
}

/** Imports and makes visible. */
export async function load(server: VmServer, series: Iterable<Series>): Promise<void> {
  await server.import(series);
  await server.flush();
}
