import {
  formatSelector,
  type Labels,
  makeWindow,
  mergeWindows,
  type Selector,
  type Window,
} from '@vm-sync/core';
import { nameOf, type Paired, pairUp } from './pair-up.ts';
import type { Pair, SeriesTally } from './ports.ts';

/** A series of which the sites have different counts in some bucket. */
export interface Differing {
  readonly name: string;
  readonly labels: Labels;
  /** A number for each bucket. */
  readonly source: Float64Array;
  readonly destination: Float64Array;
}

/** What a metric name has on the source, bucket by bucket. */
export interface NamePresence {
  readonly series: Float64Array;
  readonly samples: Float64Array;
}

/** The result of comparing the counts of one selector in one window. */
export interface Counted {
  readonly window: Window;
  readonly stepMs: number;
  readonly series: number;
  readonly sourceSamples: number;
  readonly destinationSamples: number;
  readonly differing: readonly Differing[];
  readonly names: ReadonlyMap<string, NamePresence>;
}

export interface CountQuestion {
  readonly pair: Pair;
  readonly selector: Selector;
  readonly window: Window;
  readonly stepMs: number;
  /** More differing series than this are not held in memory; with 0 the names are not added up either. */
  readonly mostDiffering: number;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Compares counts per series and bucket while they come. What agrees is added up and forgotten, so that a clean
 * comparison of a million series costs hardly more than the two queries, and no memory. Undefined when more series
 * differ than are wanted.
 */
export async function compareCounts(question: CountQuestion): Promise<Counted | undefined> {
  const { pair, window, stepMs, mostDiffering, signal } = question;
  const request = { selector: formatSelector(question.selector), window, stepMs, signal };
  const nothing = new Float64Array(Math.round((window.toMs - window.fromMs) / stepMs));
  const names = new Map<string, NamePresence>();
  const differing: Differing[] = [];
  let [series, sourceSamples, destinationSamples] = [0, 0, 0];
  for await (const paired of pairUp(pair.source.tally(request), pair.destination.tally(request))) {
    series += 1;
    const source = paired.source?.samples ?? nothing;
    const destination = paired.destination?.samples ?? nothing;
    sourceSamples += totalOf(source);
    destinationSamples += totalOf(destination);
    const isSame = source === destination || sameCounts(source, destination);
    if (mostDiffering === 0) {
      if (isSame) continue;
      return undefined;
    }
    const one = either(paired);
    if (paired.source) addPresence(names, nameOf(one), source);
    if (isSame) continue;
    if (differing.length >= mostDiffering) return undefined;
    differing.push({ name: nameOf(one), labels: one.labels, source, destination });
  }
  return { window, stepMs, series, sourceSamples, destinationSamples, differing, names };
}

export const either = <T>(paired: Paired<T>): T => paired.source ?? (paired.destination as T);

export const sameCounts = (a: Float64Array, b: Float64Array): boolean => {
  for (let at = 0; at < a.length; at++) if (a[at] !== b[at]) return false;
  return true;
};

/** Counts are shared between series, so each list is added up once. */
const totals = new WeakMap<SeriesTally['samples'], number>();

export function totalOf(samples: Float64Array): number {
  const known = totals.get(samples);
  if (known !== undefined) return known;
  const total = samples.reduce((sum, count) => sum + count, 0);
  totals.set(samples, total);
  return total;
}

function addPresence(names: Map<string, NamePresence>, name: string, samples: Float64Array): void {
  let there = names.get(name);
  if (!there) {
    there = {
      series: new Float64Array(samples.length),
      samples: new Float64Array(samples.length),
    };
    names.set(name, there);
  }
  for (let at = 0; at < samples.length; at++) {
    const count = samples[at] as number;
    if (count === 0) continue;
    there.series[at] = (there.series[at] as number) + 1;
    there.samples[at] = (there.samples[at] as number) + count;
  }
}

export const bucketOf = ({ window, stepMs }: Counted, at: number): Window =>
  makeWindow(window.fromMs + at * stepMs, window.fromMs + (at + 1) * stepMs);

/** Buckets in which some series has more samples on one side: the destination lacks them there, or the source does. */
export function unevenBuckets(counted: Counted): { damaged: Window[]; damagedBackward: Window[] } {
  const [damaged, damagedBackward]: [Window[], Window[]] = [[], []];
  const buckets = Math.round((counted.window.toMs - counted.window.fromMs) / counted.stepMs);
  for (let at = 0; at < buckets; at++) {
    const lead = counted.differing.map(
      ({ source, destination }) => (source[at] as number) - (destination[at] as number),
    );
    if (lead.some((more) => more > 0)) damaged.push(bucketOf(counted, at));
    if (lead.some((more) => more < 0)) damagedBackward.push(bucketOf(counted, at));
  }
  return { damaged: mergeWindows(damaged), damagedBackward: mergeWindows(damagedBackward) };
}
