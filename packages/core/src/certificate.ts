import { type BeyondRepair, beyondReasonText, repairEdgeMs } from './beyond.ts';
import { conflictText, totalConflicts } from './conflict.ts';
import type { DeviceTable } from './device.ts';
import { identityText } from './identity.ts';
import { type Mark, verifiedThroughMs } from './mark.ts';
import type { CheckReport, SiteObservation, Tallied } from './report.ts';
import { type Direction, directionKey, reverse, SITES, type Site } from './site.ts';
import type { SyncState } from './state.ts';
import { surplusSentence } from './surplus.ts';
import { findingText } from './twins.ts';
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

/**
 * Why READY cannot be certified, as a sentence; undefined when it can. It asks for the proof once more and by itself, so that no
 * mistake elsewhere makes a certificate; what is only counted is no part of it.
 */
export function whyNoCertificate(state: SyncState, report: CheckReport): string | undefined {
  if (report.outcome === 'unknown') return report.reason;
  const { direction, horizonMs } = report;
  if (!state.failbackReady || state.reasons.length > 0) return 'READY is not said';
  if (state.activeSite !== direction.source) {
    return `${direction.source} was compared as the source, and ${state.activeSite} is the active site`;
  }
  const mark = state.marks[directionKey(direction)];
  if (!mark || verifiedThroughMs(mark) < horizonMs) {
    return `not all is proven up to ${new Date(horizonMs).toISOString()}`;
  }
  if (provenFromMs(mark, report) >= mark.throughMs) return 'no time is proven';
  const unseen = SITES.find((site) => report.sites[site]?.healthy !== true);
  return unseen && `${unseen} did not say how it is set`;
}

/** The certificate of a state that READY is said of; see `whyNoCertificate`. */
export function makeCertificate(
  state: SyncState,
  report: KnownReport,
  facts: CertificateFacts,
): Certificate {
  const { direction, active, tallied, atMs, tookMs } = report;
  const { id, issuedBy, issuedMs, validUntilMs, cleanWanted, settings, repaired, devices } = facts;
  const proven = [direction, reverse(direction)].flatMap(
    (one) => provenIn(state, report, one) ?? [],
  );
  const beyondRepair = beyondIn(state.beyondRepair, direction);
  const conflicts = totalConflicts(state.conflicts);
  return {
    format: 'vm-sync parity certificate 1',
    id,
    issuedBy,
    pair: state.identity.pair,
    issuedMs,
    renewedMs: atMs,
    validUntilMs,
    direction,
    says: sentence(direction, tallied.tolerated, beyondRepair),
    active: {
      site: direction.source,
      reason: active.reason,
      epoch: active.epoch,
      witnesses: active.witnesses,
    },
    proven,
    proof: {
      level: deduplicateAlike(report) ? 'prints' : 'intervals',
      threshold: facts.threshold,
      toleratedSamples: tallied.tolerated,
    },
    check: { ...tallied, atMs, tookMs, cleanInARow: state.consecutiveClean, cleanWanted },
    repaired,
    beyondRepair,
    surplus: surplusSentence(state, settings.syncDirection === 'both') ?? null,
    differingValues: conflicts.samples > 0 ? conflictText(conflicts) : null,
    sites: { primary: siteOf(state, report, 'primary'), dr: siteOf(state, report, 'dr') },
    findings: (report.twins ?? []).map(findingText),
    settings,
    devices,
  };
}

function sentence(
  { source, destination }: Direction,
  tolerated: number,
  { listed, more }: Certificate['beyondRepair'],
): string {
  const beyond = listed.length + more;
  const within =
    tolerated > 0 ? `, but for ${count(tolerated, 'sample')} within GAP_THRESHOLD` : '';
  const except = beyond > 0 ? `, except what is beyond repair in ${count(beyond, 'window')}` : '';
  return `${destination} holds every sample that ${source} has${within}${except}`;
}

const count = (amount: number, what: string): string =>
  `${new Intl.NumberFormat('en-US').format(amount)} ${what}${amount === 1 ? '' : 's'}`;

/** Where a document ends to be one that a person reads. */
const MOST_LISTED = 50;

/** The newest ones. */
const newest = <T>(all: readonly T[]): Listed<T> => ({
  listed: all.slice(-MOST_LISTED),
  more: Math.max(0, all.length - MOST_LISTED),
});

const observations = ({ sites }: KnownReport): SiteObservation[] =>
  SITES.flatMap((site) => {
    const view = sites[site];
    return view?.healthy ? [view.observation] : [];
  });

/** What is older than the sites keep is in no mark's `unproven`, and is not proven by that. */
export const provenFromMs = (
  mark: Mark,
  report: KnownReport,
  direction = report.direction,
): number => Math.max(mark.sinceMs, repairEdgeMs(report.atMs, direction, observations(report)));

function provenIn(
  state: SyncState,
  report: KnownReport,
  direction: Direction,
): ProvenDirection | undefined {
  const key = directionKey(direction);
  const mark = state.marks[key];
  if (!mark) return undefined;
  return {
    direction,
    fromMs: provenFromMs(mark, report, direction),
    throughMs: mark.throughMs,
    earlier: newest(mark.earlier),
    unproven: newest(mark.unproven),
    surveyed: state.history[key]?.complete ?? false,
  };
}

function beyondIn(all: readonly BeyondRepair[], direction: Direction): Certificate['beyondRepair'] {
  const { listed, more } = newest(all.filter((one) => one.direction === directionKey(direction)));
  const shown = listed.map(({ window, reason, samplesMissing }) => ({
    window,
    reason: beyondReasonText(reason, direction),
    samplesMissing,
  }));
  return { listed: shown, more };
}

function deduplicateAlike(report: KnownReport): boolean {
  const [one, other] = observations(report).map(({ dedupMs }) => dedupMs ?? 0);
  return one === other;
}

function siteOf(state: SyncState, report: KnownReport, site: Site): CertifiedSite {
  const of = observations(report).find((one) => one.site === site);
  return {
    url: of?.url ?? '',
    version: of?.version ?? null,
    startedMs: of?.startedMs ?? null,
    dedupMs: of?.dedupMs ?? null,
    retentionMs: of?.retentionMs ?? null,
    maxBackfillAgeMs: of?.maxBackfillAgeMs ?? null,
    marker: identityText(state.identity, site),
  };
}

/** Of a run what its copying is counted by. */
export interface CopiedRun {
  readonly direction: Direction;
  readonly settledMs: number | null;
  readonly samplesCopied: number;
  readonly bytesCopied: number;
}

export function repairedSince(runs: readonly CopiedRun[], sinceMs: number | null): Repaired {
  const counted = runs.filter(
    ({ settledMs, samplesCopied }) =>
      settledMs !== null && samplesCopied > 0 && settledMs >= (sinceMs ?? 0),
  );
  const byDirection = SITES.flatMap((source) => {
    const own = counted.filter(({ direction }) => direction.source === source);
    const [first] = own;
    if (!first) return [];
    const samples = own.reduce((total, run) => total + run.samplesCopied, 0);
    const bytes = own.reduce((total, run) => total + run.bytesCopied, 0);
    return [{ direction: first.direction, runs: own.length, samples, bytes }];
  });
  return { sinceMs, byDirection };
}
