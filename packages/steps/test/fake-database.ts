import {
  type DeviceAmount,
  type Labels,
  type Marker,
  meets,
  missingTimestamps,
  type OwnSamples,
  parseSelectors,
  type Site,
  type SiteObservation,
  sampleSlot,
  seriesKey,
  VmSyncError,
} from '@vm-sync/core';
import type {
  DeviceCountsRequest,
  SelectionRequest,
  SeriesPrint,
  SeriesSums,
  SeriesTally,
  SeriesValues,
  SiteDatabase,
  TallyRequest,
  Transfer,
} from '../src/ports.ts';

export interface FakeOptions {
  readonly dedupMs?: number;
  /** Queries over more series than this are refused, as `-search.maxUniqueTimeseries` does. */
  readonly mostSeries?: number;
}

/** A database in memory that behaves as VictoriaMetrics does; the contract suite holds it to that. */
export class FakeDatabase implements SiteDatabase {
  readonly site: Site;
  readonly url: string;
  readonly dedupMs: number;
  startedMs = 1;
  /** By how much its clock is ahead of the test's; undefined where it does not say. */
  clockOffsetMs: number | undefined;
  /** The newest marker of each label set. */
  markers: Marker[] = [];
  /** Every stored timestamp, also those that deduplication hides. */
  readonly #series = new Map<string, { labels: Labels; timestamps: number[] }>();
  /** Values by series and timestamp; of several of one instant the biggest is kept, as newer versions do. */
  readonly #values = new Map<string, Map<number, number>>();
  readonly #mostSeries: number;

  constructor(site: Site, options: FakeOptions = {}) {
    this.site = site;
    this.url = `http://${site}.example`;
    this.dedupMs = options.dedupMs ?? 0;
    this.#mostSeries = options.mostSeries ?? Number.POSITIVE_INFINITY;
  }

  store(labels: Labels, timestamps: readonly number[], values: readonly number[] = []): void {
    const key = seriesKey(labels);
    const known = this.#values.get(key) ?? new Map<number, number>();
    this.#values.set(key, known);
    for (const [at, timestamp] of timestamps.entries()) {
      known.set(
        timestamp,
        Math.max(known.get(timestamp) ?? Number.NEGATIVE_INFINITY, values[at] ?? 1),
      );
    }
    const one = this.#series.get(key) ?? { labels, timestamps: [] };
    one.timestamps = [...one.timestamps, ...timestamps].sort((a, b) => a - b);
    this.#series.set(key, one);
  }

  /** All stored timestamps of every series, without deduplication. */
  raw(): Map<string, readonly number[]> {
    return new Map([...this.#series].map(([key, { timestamps }]) => [key, timestamps]));
  }

  async observe(): Promise<SiteObservation> {
    const { site, url, dedupMs, startedMs, clockOffsetMs: offsetMs } = this;
    return {
      site,
      url,
      dedupMs,
      startedMs,
      retentionMs: undefined,
      maxBackfillAgeMs: undefined,
      readOnly: false,
      clock: offsetMs === undefined ? undefined : { offsetMs, uncertaintyMs: 5 },
    };
  }

  async own(): Promise<OwnSamples> {
    return { markers: this.markers, heartbeats: [] };
  }

  async writeMarker(marker: Marker): Promise<void> {
    const others = this.markers.filter(
      ({ site, pair }) => site !== marker.site || pair !== marker.pair,
    );
    this.markers = [...others, marker];
  }

  async *tally(request: TallyRequest): AsyncIterable<SeriesTally> {
    const buckets = (request.window.toMs - request.window.fromMs) / request.stepMs;
    for (const { labels, timestamps } of this.#selected([request.selector], request)) {
      const samples = new Float64Array(buckets);
      for (const at of timestamps) {
        const bucket = Math.ceil((at - request.window.fromMs) / request.stepMs) - 1;
        samples[bucket] = (samples[bucket] as number) + 1;
      }
      yield { metric: JSON.stringify(labels), labels, samples };
    }
  }

  async *prints(request: TallyRequest & { slotMs: number }): AsyncIterable<SeriesPrint> {
    const { window, stepMs, slotMs } = request;
    const buckets = (window.toMs - window.fromMs) / stepMs;
    for (const { labels, timestamps } of this.#selected([request.selector], request)) {
      const lastOfSlot = new Map(timestamps.map((at) => [Math.ceil(at / slotMs), at]));
      const occupied = new Float64Array(buckets);
      const print = new Float64Array(buckets);
      for (const at of lastOfSlot.values()) {
        const bucket = Math.ceil((at - window.fromMs) / stepMs) - 1;
        occupied[bucket] = (occupied[bucket] as number) + 1;
        print[bucket] = (print[bucket] as number) + Math.sin(at / 1000);
      }
      yield {
        metric: JSON.stringify(labels),
        labels,
        occupied,
        printText: print.join(),
        print,
      };
    }
  }

  async labelValues(label: string, { window }: Omit<TallyRequest, 'stepMs'>): Promise<string[]> {
    const seen = [...this.#series.values()].filter(({ timestamps }) =>
      timestamps.some((at) => at > window.fromMs && at <= window.toMs),
    );
    const all = seen.flatMap(({ labels }) => labels[label] ?? []);
    return [...new Set(all)];
  }

  async labelNames(): Promise<string[]> {
    return [...new Set([...this.#series.values()].flatMap(({ labels }) => Object.keys(labels)))];
  }

  async totalSamples(request: SelectionRequest): Promise<number> {
    let total = 0;
    for (const { timestamps } of this.#selected(request.selectors, request)) {
      total += timestamps.length;
    }
    return total;
  }

  async countsBy(
    label: string | undefined,
    request: TallyRequest,
  ): Promise<Map<string, Float64Array>> {
    const sums = new Map<string, Float64Array>();
    for await (const { labels, samples } of this.tally(request)) {
      const value = label === undefined ? '' : (labels[label] ?? '');
      const known = sums.get(value);
      sums.set(value, known ? known.map((sum, at) => sum + (samples[at] as number)) : samples);
    }
    return sums;
  }

  async newestSample(request: SelectionRequest): Promise<number | null> {
    const newest = [...this.#selected(request.selectors, request)].map(
      ({ timestamps }) => timestamps.at(-1) as number,
    );
    return newest.length === 0 ? null : Math.max(...newest);
  }

  async counts(request: SelectionRequest): Promise<Map<string, number>> {
    const found = [...(await this.timestamps(request))];
    return new Map(found.map(([key, timestamps]) => [key, timestamps.length]));
  }

  async deviceCounts({ groups, window }: DeviceCountsRequest): Promise<DeviceAmount[]> {
    const found = new Map<string, DeviceAmount>();
    for (const { label, selector } of groups) {
      for (const { labels, timestamps } of this.#selected([selector], { window })) {
        const name = labels[label] ?? '';
        const key = seriesKey({ label, name });
        const { series, samples } = found.get(key) ?? { series: 0, samples: 0 };
        const more = { series: series + 1, samples: samples + timestamps.length };
        found.set(key, { label, name, ...more });
      }
    }
    return [...found.values()];
  }

  async timestamps(request: SelectionRequest): Promise<Map<string, Float64Array>> {
    const found = new Map<string, Float64Array>();
    for (const { labels, timestamps } of this.#selected(request.selectors, request)) {
      found.set(seriesKey(labels), Float64Array.from(timestamps));
    }
    return found;
  }

  async *sums(request: TallyRequest): AsyncIterable<SeriesSums> {
    const buckets = (request.window.toMs - request.window.fromMs) / request.stepMs;
    for (const { labels, timestamps } of this.#selected([request.selector], request)) {
      const sums = new Float64Array(buckets).fill(Number.NaN);
      for (const at of timestamps) {
        const bucket = Math.ceil((at - request.window.fromMs) / request.stepMs) - 1;
        sums[bucket] = (sums[bucket] || 0) + this.#valueOf(labels, at);
      }
      yield { metric: JSON.stringify(labels), labels, sumText: sums.join(), sums };
    }
  }

  async values(request: SelectionRequest): Promise<Map<string, SeriesValues>> {
    const found = new Map<string, SeriesValues>();
    for (const { labels, timestamps } of this.#selected(request.selectors, request)) {
      const values = Float64Array.from(timestamps, (at) => this.#valueOf(labels, at));
      found.set(seriesKey(labels), { timestamps: Float64Array.from(timestamps), values });
    }
    return found;
  }

  async peaks(request: SelectionRequest): Promise<Map<string, number>> {
    const all = await this.values(request);
    return new Map(
      [...all].map(([key, { values }]) => [key, Math.max(...values.map((one) => Math.abs(one)))]),
    );
  }

  #valueOf(labels: Labels, atMs: number): number {
    return this.#values.get(seriesKey(labels))?.get(atMs) ?? Number.NaN;
  }

  async makeVisible(): Promise<boolean> {
    return true;
  }

  async resetCache(): Promise<boolean> {
    return true;
  }

  async rejectedRows(): Promise<Map<string, number>> {
    return new Map();
  }

  /** Series that meet a selector, with their deduplicated samples in the window; none without samples there. */
  #selected(
    texts: readonly string[],
    { window }: Pick<SelectionRequest, 'window'>,
  ): { labels: Labels; timestamps: number[] }[] {
    const selectors = texts.flatMap(parseSelectors);
    const found: { labels: Labels; timestamps: number[] }[] = [];
    for (const { labels, timestamps } of this.#series.values()) {
      if (!selectors.some((selector) => meets(selector, labels))) continue;
      const inside = this.#deduplicated(timestamps).filter(
        (at) => at > window.fromMs && at <= window.toMs,
      );
      if (inside.length > 0) found.push({ labels, timestamps: inside });
    }
    // The server's order: by name, then by labels.
    found.sort((a, b) => (seriesKey(a.labels) < seriesKey(b.labels) ? -1 : 1));
    if (found.length > this.#mostSeries) {
      throw new VmSyncError(
        'too-big',
        `the number of matching timeseries exceeds ${this.#mostSeries}`,
      );
    }
    return found;
  }

  /** The last sample of each interval `(k·d - d, k·d]`; without deduplication every sample, also twice. */
  #deduplicated(timestamps: readonly number[]): number[] {
    if (this.dedupMs === 0) return [...timestamps];
    return [...new Map(timestamps.map((at) => [sampleSlot(at, this.dedupMs), at])).values()];
  }
}

/** Copies between two fakes; `keep` may lose samples on the way, as a proxy or a full disk does. */
export function fakeTransfer(
  source: FakeDatabase,
  destination: FakeDatabase,
  keep: (atMs: number) => boolean = () => true,
): Transfer {
  const send = (rows: ReadonlyMap<string, ArrayLike<number>>) => {
    let samples = 0;
    for (const [key, timestamps] of rows) {
      const sent = Array.from(timestamps);
      samples += sent.length;
      const labels = Object.fromEntries(JSON.parse(key) as [string, string][]);
      destination.store(labels, sent.filter(keep));
    }
    return { bytes: samples * 20, samples };
  };
  const whole = async (request: SelectionRequest) => send(await source.timestamps(request));
  return {
    nativeIsShared: async () => true,
    copyNative: whole,
    copyLines: whole,
    copyMissing: async (present, dedupMs, request) => {
      const rows = await source.timestamps(request);
      const missing = [...rows].map(
        ([key, there]) => [key, missingTimestamps(there, present.get(key) ?? [], dedupMs)] as const,
      );
      return send(new Map(missing.filter(([, timestamps]) => timestamps.length > 0)));
    },
  };
}
