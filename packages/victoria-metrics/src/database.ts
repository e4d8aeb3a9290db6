import {
  type DeviceAmount,
  type Heartbeat,
  type Marker,
  type OwnSamples,
  type SiteLoad,
  type SiteObservation,
  VmSyncError,
} from '@vm-sync/core';
import { type DeviceCountsRequest, deviceCounts } from './device-counts.ts';
import { Endpoint, type EndpointOptions } from './endpoint.ts';
import { labelNames, labelValues } from './labels.ts';
import { LoadProbe } from './load.ts';
import { newestSample } from './newest.ts';
import { metricNumber, observe, readMetrics } from './observe.ts';
import { readOwn, writeHeartbeat, writeMarker } from './own-series.ts';
import { type PrintsRequest, prints } from './prints.ts';
import {
  counts,
  countsBy,
  type SelectionRequest,
  type TallyRequest,
  tally,
  totalSamples,
} from './query.ts';
import type { SeriesPrint, SeriesTally } from './series.ts';
import { readTimestamps } from './transfer.ts';
import { peaks, readValues, type SeriesSums, type SeriesValues, sums } from './values.ts';

/** One site's VictoriaMetrics, as the steps use it. Every failure is a `VmSyncError`. */
export class VictoriaMetrics {
  readonly endpoint: Endpoint;
  readonly #load: LoadProbe;
  #canFlush = true;
  #retentionMs: number | undefined;

  constructor(options: EndpointOptions) {
    this.endpoint = new Endpoint(options);
    this.#load = new LoadProbe(this.endpoint);
  }

  get site(): EndpointOptions['site'] {
    return this.endpoint.site;
  }

  /** The base URL without a login. */
  get url(): string {
    return this.endpoint.url;
  }

  async observe(signal?: AbortSignal): Promise<SiteObservation> {
    const seen = await observe(this.endpoint, signal);
    this.#retentionMs = seen.retentionMs;
    return seen;
  }

  /** What vm-syncs have written about themselves: markers and heartbeats. */
  own(signal?: AbortSignal): Promise<OwnSamples> {
    return readOwn(this.endpoint, this.#retentionMs, signal);
  }

  writeMarker(marker: Marker, signal?: AbortSignal): Promise<void> {
    return writeMarker(this.endpoint, marker, signal);
  }

  writeHeartbeat(beat: Heartbeat, signal?: AbortSignal): Promise<void> {
    return writeHeartbeat(this.endpoint, beat, signal);
  }

  /** How loaded the site is now; throws when it does not answer a small query within seconds. */
  load(signal?: AbortSignal): Promise<SiteLoad> {
    return this.#load.look(signal);
  }

  tally(request: TallyRequest): AsyncIterable<SeriesTally> {
    return tally(this.endpoint, request);
  }

  prints(request: PrintsRequest): AsyncIterable<SeriesPrint> {
    return prints(this.endpoint, request);
  }

  totalSamples(request: SelectionRequest): Promise<number> {
    return totalSamples(this.endpoint, request);
  }

  countsBy(label: string | undefined, request: TallyRequest): Promise<Map<string, Float64Array>> {
    return countsBy(this.endpoint, label, request);
  }

  newestSample(request: SelectionRequest): Promise<number | null> {
    return newestSample(this.endpoint, request);
  }

  /** Samples by series key; a series that several selectors meet is counted once. */
  counts(request: SelectionRequest): Promise<Map<string, number>> {
    return counts(this.endpoint, request);
  }

  /** Series and samples by device; what no group selects is not there. */
  deviceCounts(request: DeviceCountsRequest): Promise<DeviceAmount[]> {
    return deviceCounts(this.endpoint, request);
  }

  labelValues(label: string, request: Omit<TallyRequest, 'stepMs'>): Promise<string[]> {
    return labelValues(this.endpoint, label, request);
  }

  labelNames(request: Omit<TallyRequest, 'stepMs'>): Promise<string[]> {
    return labelNames(this.endpoint, request);
  }

  timestamps(request: SelectionRequest): Promise<Map<string, Float64Array>> {
    return readTimestamps(this.endpoint, request);
  }

  sums(request: TallyRequest): AsyncIterable<SeriesSums> {
    return sums(this.endpoint, request);
  }

  values(request: SelectionRequest): Promise<Map<string, SeriesValues>> {
    return readValues(this.endpoint, request);
  }

  peaks(request: SelectionRequest): Promise<Map<string, number>> {
    return peaks(this.endpoint, request);
  }

  /**
   * Asks for what was imported to become visible to queries at once. False where the server (or a proxy before it)
   * does not allow it: then it takes up to about 12 s, longest for new series (measured).
   */
  async makeVisible(signal?: AbortSignal): Promise<boolean> {
    if (this.#canFlush) this.#canFlush = await this.#internal('/internal/force_flush', signal);
    return this.#canFlush;
  }

  /**
   * Drops cached range query results, which do not know of repaired samples. To be called when these are visible; the
   * server's own reset can come too early (measured: 4 of 10 times). False where it is not allowed.
   */
  resetCache(): Promise<boolean> {
    return this.#internal('/internal/resetRollupResultCache');
  }

  /** Counters of rows that the server accepted and threw away, by reason; undefined where `/metrics` is not served. */
  async rejectedRows(signal?: AbortSignal): Promise<Map<string, number> | undefined> {
    const metrics = await readMetrics(this.endpoint, signal);
    if (!metrics) return undefined;
    const rejected = new Map<string, number>();
    for (const name of metrics.keys()) {
      const found =
        /^vm_rows_ignored_total\{reason="([^"]+)"\}$|^vm_(rows_invalid|hourly_series_limit_rows_dropped|daily_series_limit_rows_dropped|too_long_label_values|metrics_with_dropped_labels)_total$/.exec(
          name,
        );
      const reason = found?.[1] ?? found?.[2];
      if (reason) rejected.set(reason, metricNumber(this.endpoint, metrics, name) ?? 0);
    }
    return rejected;
  }

  close(): Promise<void> {
    return this.endpoint.close();
  }

  async #internal(path: string, signal?: AbortSignal): Promise<boolean> {
    try {
      await this.endpoint.text({ act: 'control', method: 'GET', path, signal });
      return true;
    } catch (error) {
      if (error instanceof VmSyncError && error.kind === 'final') return false;
      throw error;
    }
  }
}
