import type { Direction, Labels, Site, SiteObservation, Window } from '@vm-sync/core';

/** The counts of one series, a number for each bucket of the window. */
export interface SeriesTally {
  readonly labels: Labels;
  readonly samples: Float64Array;
}

export interface SeriesPrint {
  readonly occupied: Float64Array;
  readonly print: Float64Array;
}

export interface SelectionRequest {
  readonly selector: string;
  readonly window: Window;
  readonly signal?: AbortSignal | undefined;
}

export interface TallyRequest extends SelectionRequest {
  readonly stepMs: number;
}

export interface RowsRequest {
  readonly selectors: readonly string[];
  readonly window: Window;
  readonly signal?: AbortSignal | undefined;
}

/** One site's database, as the steps need it. Every failure is a `VmSyncError`. */
export interface SiteDatabase {
  readonly site: Site;
  readonly url: string;
  observe(signal?: AbortSignal): Promise<SiteObservation>;
  tally(request: TallyRequest): AsyncIterable<SeriesTally>;
  prints(request: TallyRequest & { readonly slotMs: number }): Promise<Map<string, SeriesPrint>>;
  /** Values of a label, names of labels: lists that may be longer than the window's, or cut by the server. */
  labelValues(label: string, request: SelectionRequest): Promise<string[]>;
  labelNames(request: SelectionRequest): Promise<string[]>;
  totalSamples(request: SelectionRequest): Promise<number>;
  /** Samples by series key; a series that several selectors meet is counted once. */
  counts(request: RowsRequest): Promise<Map<string, number>>;
  /** Distinct or not, in the order of the server, by series key. */
  timestamps(request: RowsRequest): Promise<Map<string, Float64Array>>;
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
  nativeIsShared(selector: string, window: Window): Promise<boolean | undefined>;
  copyNative(request: SelectionRequest & OnBytes): Promise<Moved>;
  copyLines(request: SelectionRequest & OnBytes): Promise<Moved>;
  copyMissing(
    present: ReadonlyMap<string, Float64Array>,
    dedupMs: number,
    request: RowsRequest & OnBytes,
  ): Promise<Moved>;
}

interface OnBytes {
  /** Told of every part before it is sent; throwing stops the copy. */
  readonly onBytes?: ((bytes: number) => void) | undefined;
}

/** Both sites in their roles. */
export interface Pair {
  readonly direction: Direction;
  readonly source: SiteDatabase;
  readonly destination: SiteDatabase;
}
