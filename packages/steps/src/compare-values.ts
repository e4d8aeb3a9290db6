import {
  BLOCK_REACH_MS,
  type ConflictBucket,
  type ConflictExample,
  errorText,
  formatSelector,
  makeWindow,
  selectorOf,
  seriesKey,
  sumsDiffer,
  type ValuesFound,
  valuesConflict,
  type Window,
} from '@vm-sync/core';
import { pairUp } from './pair-up.ts';
import type { Pair, SeriesTally, SeriesValues, SiteDatabase, TallyRequest } from './ports.ts';

/** A series of which both sites hold the same samples in some buckets. */
export interface Alike {
  readonly tally: SeriesTally;
  /** Whether both sites hold the same samples in this bucket. */
  readonly isAlike: (at: number) => boolean;
}

/** Series and buckets whose sums differ. */
interface Suspect {
  readonly tally: SeriesTally;
  readonly buckets: readonly number[];
}

/** So many series are looked at sample by sample in one check: where more differ, one example says as much. */
const SERIES_MOST = 50;

/** Labels of an example are for the eyes of people. */
const EXAMPLE_CHARACTERS = 300;

/**
 * Compares the values of samples that both sites hold, in one check: by their sums, and by the samples themselves where
 * sums differ. It is for showing only. Whatever fails ends it for this check, and fails nothing else.
 */
export class ValueLook {
  readonly #throughMs: number;
  readonly #compared: Window[] = [];
  readonly #buckets = new Map<number, ConflictBucket>();
  #example: ConflictExample | null = null;
  #left = SERIES_MOST;
  #gaveUp: string | null = null;

  /** Samples up to here are judged by the check. */
  constructor(throughMs: number) {
    this.#throughMs = throughMs;
  }

  found(): ValuesFound {
    return {
      compared: this.#compared,
      buckets: [...this.#buckets.values()].filter(({ samples, unread }) => samples + unread > 0),
      example: this.#example,
      gaveUp: this.#gaveUp,
    };
  }

  /** `seriesOf` gives a series by the label set of its tally. */
  async compare(
    pair: Pair,
    request: TallyRequest,
    seriesOf: (metric: string) => Alike | undefined,
  ): Promise<void> {
    if (this.#gaveUp !== null) return;
    try {
      const { suspects, unread } = await this.#bySums(pair, request, seriesOf);
      if (suspects.length > 0) await this.#bySamples(pair, request, suspects);
      for (const { buckets } of unread) {
        for (const at of buckets) this.#note(request, at, { series: 0, samples: 0, unread: 1 });
      }
      this.#compared.push(request.window);
    } catch (error) {
      if (request.signal?.aborted) throw error;
      this.#gaveUp = errorText(error);
    }
  }

  async #bySums(
    pair: Pair,
    request: TallyRequest,
    seriesOf: (metric: string) => Alike | undefined,
  ): Promise<{ suspects: Suspect[]; unread: Suspect[] }> {
    const suspects: Suspect[] = [];
    const unread: Suspect[] = [];
    const sums = pairUp(pair.source.sums(request), pair.destination.sums(request));
    for await (const { source, destination } of sums) {
      if (!source || !destination || source.sumText === destination.sumText) continue;
      const series = seriesOf(source.metric) ?? seriesOf(destination.metric);
      if (!series) continue;
      const [there, here] = [source.sums, destination.sums];
      const buckets = [...there.keys()].filter(
        (at) => series.isAlike(at) && sumsDiffer(there[at] as number, here[at] as number),
      );
      if (buckets.length === 0) continue;
      const mayRead = this.#left > 0;
      if (mayRead) this.#left -= 1;
      (mayRead ? suspects : unread).push({ tally: series.tally, buckets });
    }
    return { suspects, unread };
  }

  async #bySamples(
    { source, destination }: Pair,
    request: TallyRequest,
    suspects: readonly Suspect[],
  ): Promise<void> {
    const { window, stepMs, signal } = request;
    const selectors = suspects.map(({ tally }) => formatSelector(selectorOf(tally.labels)));
    const asked = { selectors, window, signal };
    const around = {
      ...asked,
      window: makeWindow(
        Math.max(0, window.fromMs - BLOCK_REACH_MS),
        Math.max(window.toMs, Math.min(window.toMs + BLOCK_REACH_MS, this.#throughMs)),
      ),
    };
    const [there, here, peaksThere, peaksHere] = await Promise.all([
      source.values(asked),
      destination.values(asked),
      source.peaks(around),
      destination.peaks(around),
    ]);
    for (const { tally, buckets } of suspects) {
      const key = seriesKey(tally.labels);
      const peak = Math.max(peaksThere.get(key) ?? 0, peaksHere.get(key) ?? 0);
      const differing = differingSamples(there.get(key), here.get(key), peak);
      for (const at of buckets) {
        const fromMs = window.fromMs + at * stepMs;
        const inside = differing.filter(({ atMs }) => atMs > fromMs && atMs <= fromMs + stepMs);
        const [first] = inside;
        if (!first) continue;
        this.#note(request, at, { series: 1, samples: inside.length, unread: 0 });
        this.#example ??= exampleOf(tally, first, source, destination);
      }
    }
  }

  #note({ window, stepMs }: TallyRequest, at: number, more: Omit<ConflictBucket, 'window'>): void {
    const fromMs = window.fromMs + at * stepMs;
    const before = this.#buckets.get(fromMs);
    this.#buckets.set(fromMs, {
      window: makeWindow(fromMs, fromMs + stepMs),
      series: (before?.series ?? 0) + more.series,
      samples: (before?.samples ?? 0) + more.samples,
      unread: (before?.unread ?? 0) + more.unread,
    });
  }
}

interface DifferingSample {
  readonly atMs: number;
  readonly there: number;
  readonly here: number;
}

/** Samples at the same millisecond whose values differ beyond rounding; both lists are in the order of time. */
function differingSamples(
  there: SeriesValues | undefined,
  here: SeriesValues | undefined,
  peak: number,
): DifferingSample[] {
  if (!there || !here) return [];
  const valueHere = new Map<number, number>();
  here.timestamps.forEach((atMs, at) => void valueHere.set(atMs, here.values[at] as number));
  const differing: DifferingSample[] = [];
  there.timestamps.forEach((atMs, at) => {
    const own = there.values[at] as number;
    const other = valueHere.get(atMs);
    if (other === undefined || !valuesConflict(own, other, peak)) return;
    differing.push({ atMs, there: own, here: other });
  });
  return differing;
}

function exampleOf(
  { labels }: SeriesTally,
  { atMs, there, here }: DifferingSample,
  source: SiteDatabase,
  destination: SiteDatabase,
): ConflictExample {
  const values = { [source.site]: String(there), [destination.site]: String(here) };
  return {
    series: formatSelector(selectorOf(labels)).slice(0, EXAMPLE_CHARACTERS),
    atMs,
    values: { primary: values['primary'] ?? '', dr: values['dr'] ?? '' },
  };
}
