import type { BackfillFound } from './backfill.ts';
import type { ClockReading } from './clock.ts';
import type { ValuesFound } from './conflict.ts';
import type { ActiveSite } from './direction.ts';
import type { History } from './history.ts';
import type { Direction, Site } from './site.ts';
import type { SurplusFound } from './surplus.ts';
import type { LimitFlag, RewritingFlag, TwinFinding } from './twins.ts';
import type { Window } from './window.ts';

/** What a site's VictoriaMetrics says of itself. Undefined where it does not say (behind vmauth, on a cluster). */
export interface SiteObservation {
  readonly site: Site;
  /** The base URL without a login. */
  readonly url: string;
  /** When the process started; a change means that recent imports may have been forgotten. */
  readonly startedMs: number | undefined;
  /** `-dedup.minScrapeInterval`; 0 is no deduplication. */
  readonly dedupMs: number | undefined;
  /** `-retentionPeriod`. */
  readonly retentionMs: number | undefined;
  /** `-maxBackfillAge` (from v1.148 on): older samples are refused; undefined where there is no such limit, or none is said. */
  readonly maxBackfillAgeMs: number | undefined;
  readonly readOnly: boolean | undefined;
  readonly clock?: ClockReading | undefined;
  /** Many builds do not name theirs. */
  readonly version?: string | undefined;
  /** The flags that it knows; 0 is no limit. */
  readonly limits?: Readonly<Partial<Record<LimitFlag, number>>> | undefined;
  /** Those that are set. */
  readonly rewrites?: readonly RewritingFlag[] | undefined;
}

/** The answer of a site, or the sentence that says why there is none. */
export type SiteView =
  | { readonly healthy: true; readonly observation: SiteObservation }
  | { readonly healthy: false; readonly url: string; readonly reason: string };

/** Sums over everything that a check compared. */
export interface Tallied {
  /** Series × bucket stretches of the source that were compared. */
  readonly series: number;
  readonly sourceSamples: number;
  readonly destinationSamples: number;
  /** Gaps (series × stretch of time), and the samples that they lack at the least. */
  readonly gaps: number;
  readonly missing: number;
  /** Samples that the destination lacks within the threshold. */
  readonly tolerated: number;
  /** Samples that only the destination has, as far as the rows were looked at. */
  readonly extra: number;
}

export const NOTHING_TALLIED: Tallied = {
  series: 0,
  sourceSamples: 0,
  destinationSamples: 0,
  gaps: 0,
  missing: 0,
  tolerated: 0,
  extra: 0,
};

export const addTallied = (a: Tallied, b: Tallied): Tallied => ({
  series: a.series + b.series,
  sourceSamples: a.sourceSamples + b.sourceSamples,
  destinationSamples: a.destinationSamples + b.destinationSamples,
  gaps: a.gaps + b.gaps,
  missing: a.missing + b.missing,
  tolerated: a.tolerated + b.tolerated,
  extra: a.extra + b.extra,
});

interface Checked {
  readonly atMs: number;
  readonly tookMs: number;
  readonly active: ActiveSite;
  readonly sites: Readonly<Record<Site, SiteView | undefined>>;
  /** What stands in the way of the sites being equal; undefined where one of them did not answer. */
  readonly twins?: readonly TwinFinding[] | undefined;
}

/**
 * The result of one check. `unknown` says which site and why; it is neither clean nor a count of zero. Windows are
 * listed per direction: `proven` lack nothing on the destination of that direction, `damaged` do.
 */
export type CheckReport =
  | (Checked & {
      readonly outcome: 'unknown';
      readonly reason: string;
      /** True when a site could not be asked: writers may not have reached it either. */
      readonly siteFailed: boolean;
    })
  | (Checked & {
      readonly outcome: 'clean' | 'gaps';
      readonly direction: Direction;
      readonly horizonMs: number;
      readonly forward: FoundWindows;
      readonly backward: FoundWindows;
      /** What was found in the ranges of this direction's open backfills; not part of `forward` and `tallied`. */
      readonly backfills: readonly BackfillFound[];
      readonly tallied: Tallied;
      /** True when the plan's bounds ended the comparison before all that is due was compared. */
      readonly leftOut: boolean;
      readonly history: History;
      /** Sentences about gaps that are set aside, from chunks that failed. */
      readonly setAside: readonly string[];
      /** What only the passive site has; undefined where nobody looked. Its windows are part of `backward`. */
      readonly surplus?: SurplusFound | undefined;
      /** What values were compared; undefined where none were. */
      readonly values?: ValuesFound | undefined;
    });

export interface FoundWindows {
  readonly proven: readonly Window[];
  readonly damaged: readonly Window[];
}

/** A run whose chunks are all done. */
export interface SettledRun {
  readonly id: string;
  readonly atMs: number;
  readonly direction: Direction;
  readonly windows: readonly Window[];
  /** Samples that were imported, and the bytes that carried them. */
  readonly samples: number;
  readonly bytes: number;
  /** The backfill that it belongs to, if any. */
  readonly backfillId: string | null;
  /** True when it copied what only the passive site had to the active one. */
  readonly recovery?: boolean | undefined;
}
