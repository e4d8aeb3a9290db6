import type { DeviceTable } from './device.ts';
import type { CheckReport, Tallied } from './report.ts';
import type { Direction, Site } from './site.ts';
import type { Window } from './window.ts';
import type { Witness } from './witness.ts';

/**
 * The document that READY rests on. It stands for itself: whoever reads it later needs no vm-sync to know what was
 * proven, by what, and what was not. Null is what a site does not say.
 */
export interface Certificate {
  readonly format: 'vm-sync parity certificate 1';
  readonly id: string;
  /** The site whose vm-sync issued it, and the pair of databases that it is about. */
  readonly issuedBy: Site;
  readonly pair: string | null;
  readonly issuedMs: number;
  /** When a check confirmed it last; what is said below is as of then, unless it says otherwise. */
  readonly renewedMs: number;
  readonly validUntilMs: number;
  /** The active site is the source: failing back to the destination loses nothing of what is proven. */
  readonly direction: Direction;
  readonly says: string;
  readonly active: {
    readonly site: Site;
    readonly reason: string;
    readonly epoch: number;
    readonly witnesses: readonly Witness[];
  };
  /** The certified direction first. */
  readonly proven: readonly ProvenDirection[];
  readonly proof: ProofLevel;
  readonly check: Tallied & {
    readonly atMs: number;
    readonly tookMs: number;
    readonly cleanInARow: number;
    readonly cleanWanted: number;
  };
  readonly repaired: Repaired;
  readonly beyondRepair: Listed<{
    readonly window: Window;
    readonly reason: string;
    readonly samplesMissing: number | null;
  }>;
  /** What only the passive site has, and values that differ, as sentences; null where there is nothing. */
  readonly surplus: string | null;
  readonly differingValues: string | null;
  readonly sites: Readonly<Record<Site, CertifiedSite>>;
  /** What of the two databases' settings stands in the way of their being equal. */
  readonly findings: readonly string[];
  readonly settings: CertifiedSettings;
  readonly devices: CountedDevices;
}

/** No more than a document may hold, and how many more there are. */
export interface Listed<T> {
  readonly listed: readonly T[];
  readonly more: number;
}

/** What is proven in one direction: every sample in `(fromMs, throughMs]` and in `earlier`, but for `unproven`. */
export interface ProvenDirection {
  readonly direction: Direction;
  readonly fromMs: number;
  readonly throughMs: number;
  readonly earlier: Listed<Window>;
  readonly unproven: Listed<Window>;
  /** True where the counts of every series and day before it were surveyed as well, back to the retention. */
  readonly surveyed: boolean;
}

/** How equality was shown. */
export interface ProofLevel {
  /** `prints`: every series and bucket, to the sample; `intervals`: to the deduplication interval, as the sites deduplicate differently. */
  readonly level: 'prints' | 'intervals';
  /** GAP_THRESHOLD: a bucket that holds at least this share of the source's samples is no gap. */
  readonly threshold: number;
  /** Samples that the destination lacked within it, in what the last check compared. */
  readonly toleratedSamples: number;
}

export interface CertifiedSite {
  readonly url: string;
  readonly version: string | null;
  readonly startedMs: number | null;
  readonly dedupMs: number | null;
  readonly retentionMs: number | null;
  readonly maxBackfillAgeMs: number | null;
  readonly marker: string;
}

export interface CertifiedSettings {
  /** What is compared. */
  readonly selectors: readonly string[];
  readonly queryStepMs: number;
  readonly queryWindowMs: number;
  readonly settleMs: number;
  readonly syncDirection: 'active-to-passive' | 'both';
}

/** What was copied since the sites were last known to be equal. */
export interface Repaired {
  /** When the certificate before this one ended; null where none is remembered: then it is all that is. */
  readonly sinceMs: number | null;
  readonly byDirection: readonly {
    readonly direction: Direction;
    readonly runs: number;
    readonly samples: number;
    readonly bytes: number;
  }[];
}

/** Both sides' counts; `table` is null where they were not counted, for the `reason`. */
export type CountedDevices = { readonly atMs: number } & (
  | { readonly window: Window; readonly table: DeviceTable; readonly reason: null }
  | { readonly window: Window | null; readonly table: null; readonly reason: string }
);

/** A check that found something out. */
export type KnownReport = Exclude<CheckReport, { outcome: 'unknown' }>;

/** Everything that a certificate says and a check's report does not. */
export interface CertificateFacts {
  readonly id: string;
  readonly issuedBy: Site;
  readonly issuedMs: number;
  readonly validUntilMs: number;
  readonly cleanWanted: number;
  readonly threshold: number;
  readonly settings: CertifiedSettings;
  readonly repaired: Repaired;
  readonly devices: CountedDevices;
}
