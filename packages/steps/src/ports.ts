import type {
  DeviceAmount,
  Direction,
  Labels,
  Marker,
  OwnSamples,
  Site,
  SiteObservation,
  Window,
} from '@vm-sync/core';

/** The counts of one series, a number for each bucket of the window. */
export interface SeriesTally {
  /** The label set as the server wrote it: equal texts are equal series, different texts are compared by `labels`. */
  readonly metric: string;
  /** Read on demand. */
  readonly labels: Labels;
  /** May be shared between series with the same counts: never to be written to. */
  readonly samples: Float64Array;
}

/** What tells apart buckets of equal counts (see `BucketTally` in the core). */
export interface SeriesPrint {
  /** As in `SeriesTally`. */
  readonly metric: string;
  readonly labels: Labels;
  /** May be shared, as the counts of a `SeriesTally`. */
  readonly occupied: Float64Array;
  /** The prints as the server wrote them: equal texts are equal prints, different ones are compared by `print`. */
  readonly printText: string;
  /** Read on demand. */
  readonly print: Float64Array;
}

/** The sums of the values of one series, a number for each bucket of the window. */
export interface SeriesSums {
  /** As in `SeriesTally`. */
  readonly metric: string;
  readonly labels: Labels;
  /** The sums as the server wrote them: equal texts are equal sums. */
  readonly sumText: string;
  /** Read on demand; not a number where there is no sum. */
  readonly sums: Float64Array;
}

/** Samples of one series in the order of time. */
export interface SeriesValues {
  readonly timestamps: Float64Array;
  readonly values: Float64Array;
}

/** Selectors as text, of which no two meet the same series unless one names a subset of the labels of another. */
export interface SelectionRequest {
  readonly selectors: readonly string[];
  readonly window: Window;
  readonly signal?: AbortSignal | undefined;
}

export interface TallyRequest {
  readonly selector: string;
  readonly window: Window;
  readonly stepMs: number;
  readonly signal?: AbortSignal | undefined;
}

/** Groups of series, of which no two hold the same one, each with the label whose values divide it. */
export interface DeviceCountsRequest {
  readonly groups: readonly { readonly label: string; readonly selector: string }[];
  readonly window: Window;
  readonly signal?: AbortSignal | undefined;
}

/** One site's database, as the steps need it. Every failure is a `VmSyncError`. */
export interface SiteDatabase {
  readonly site: Site;
  readonly url: string;
  observe(signal?: AbortSignal): Promise<SiteObservation>;
  /** What vm-syncs have written about themselves. */
  own(signal?: AbortSignal): Promise<OwnSamples>;
  writeMarker(marker: Marker, signal?: AbortSignal): Promise<void>;
  /** In the server's own order, which is the same on both sites (or nearly so). */
  tally(request: TallyRequest): AsyncIterable<SeriesTally>;
  prints(request: TallyRequest & { readonly slotMs: number }): AsyncIterable<SeriesPrint>;
  /** Values of a label, names of labels: lists that may be longer than the window's, or cut by the server. */
  labelValues(label: string, request: Omit<TallyRequest, 'stepMs'>): Promise<string[]>;
  labelNames(request: Omit<TallyRequest, 'stepMs'>): Promise<string[]>;
  /** Samples of all series together; a series that several selectors meet may be counted several times. */
  totalSamples(request: SelectionRequest): Promise<number>;
  /**
   * Samples by the value of a label, '' where there is none, or of all series together: then by ''. A number for each bucket of the
   * window.
   */
  countsBy(label: string | undefined, request: TallyRequest): Promise<Map<string, Float64Array>>;
  /** When the newest sample of all series in the window was taken; null when there is none. */
  newestSample(request: SelectionRequest): Promise<number | null>;
  /** Samples by series key; a series that several selectors meet is counted once. */
  counts(request: SelectionRequest): Promise<Map<string, number>>;
  /** Series that have samples, and how many, by the values of each group's label. */
  deviceCounts(request: DeviceCountsRequest): Promise<DeviceAmount[]>;
  /** Distinct or not, in the order of time, by series key. */
  timestamps(request: SelectionRequest): Promise<Map<string, Float64Array>>;
  /** Sums of values, which differ between sites by rounding: they show where to look, and prove nothing. */
  sums(request: TallyRequest): AsyncIterable<SeriesSums>;
  /** Samples with their values, by series key. */
  values(request: SelectionRequest): Promise<Map<string, SeriesValues>>;
  /** The largest magnitude of each series' values in the window, by series key. */
  peaks(request: SelectionRequest): Promise<Map<string, number>>;
  makeVisible(signal?: AbortSignal): Promise<boolean>;
  resetCache(): Promise<boolean>;
  rejectedRows(signal?: AbortSignal): Promise<Map<string, number> | undefined>;
}

export interface Moved {
  readonly bytes: number;
  readonly samples: number | undefined;
}

/** The ways of bringing samples from a source to a destination. */
export interface Transfer {
  /** Whether the destination reads the source's native format; undefined when there is nothing to try it with. */
  nativeIsShared(request: SelectionRequest): Promise<boolean | undefined>;
  copyNative(request: SelectionRequest & OnBytes): Promise<Moved>;
  copyLines(request: SelectionRequest & OnBytes): Promise<Moved>;
  copyMissing(
    present: ReadonlyMap<string, Float64Array>,
    dedupMs: number,
    request: SelectionRequest & OnBytes,
  ): Promise<Moved>;
}

interface OnBytes {
  /**
   * Asked before every part is sent, and waited for: it may slow the copy down, or stop it by throwing. The samples of
   * native blocks are not known.
   */
  readonly onBytes?: ((bytes: number, samples?: number) => Promise<void> | void) | undefined;
}

/** Both sites in their roles. */
export interface Pair {
  readonly direction: Direction;
  readonly source: SiteDatabase;
  readonly destination: SiteDatabase;
}
