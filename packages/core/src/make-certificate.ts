import { type BeyondRepair, beyondReasonText, repairEdgeMs } from './beyond.ts';
import type {
  Certificate,
  CertificateFacts,
  CertifiedSite,
  KnownReport,
  Listed,
  ProvenDirection,
  Repaired,
} from './certificate.ts';
import { conflictText, totalConflicts } from './conflict.ts';
import { identityText } from './identity.ts';
import { verifiedThroughMs } from './mark.ts';
import type { CheckReport, SiteObservation } from './report.ts';
import { type Direction, directionKey, reverse, SITES, type Site } from './site.ts';
import type { SyncState } from './state.ts';
import { surplusSentence } from './surplus.ts';
import { findingText } from './twins.ts';
import { formatWindow } from './window.ts';
import { formatCount } from './wording.ts';

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
  if ((provenFromMs(state, report) ?? mark.throughMs) >= mark.throughMs) return 'no time is proven';
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
    says: sentence(proven[0] as ProvenDirection, facts.threshold, tallied.tolerated, beyondRepair),
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

/** What the threshold tolerates is known of what was compared last only: of older time no more is said than was proven. */
function sentence(
  { direction, fromMs, throughMs }: ProvenDirection,
  threshold: number,
  tolerated: number,
  { listed, more }: Certificate['beyondRepair'],
): string {
  const { source, destination } = direction;
  const when = formatWindow({ fromMs, toMs: throughMs });
  const lately = tolerated === 0 ? 'every sample' : `all but ${count(tolerated, 'sample')}`;
  const what =
    threshold === 1
      ? `${destination} holds every sample that ${source} has in ${when}`
      : `${destination} holds what ${source} has in ${when}: at least ${Math.round(threshold * 1000) / 10} % of each series in each bucket (GAP_THRESHOLD), and ${lately} of what the last check compared`;
  const beyond = listed.length + more;
  return beyond > 0 ? `${what}; beyond repair: ${count(beyond, 'window')}` : what;
}

const count = (amount: number, what: string): string =>
  `${formatCount(amount)} ${what}${amount === 1 ? '' : 's'}`;

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

/**
 * Where proof begins in a direction. What is older than the sites keep, and what is beyond repair, stands in no mark's
 * `unproven`, and is not proven by that. Undefined where no check has begun a mark.
 */
export function provenFromMs(
  state: SyncState,
  report: KnownReport,
  direction = report.direction,
): number | undefined {
  const key = directionKey(direction);
  const mark = state.marks[key];
  if (!mark) return undefined;
  const beyond = state.beyondRepair.filter((one) => one.direction === key);
  return Math.max(
    mark.sinceMs,
    repairEdgeMs(report.atMs, direction, observations(report)),
    ...beyond.map(({ window }) => window.toMs),
  );
}

function provenIn(
  state: SyncState,
  report: KnownReport,
  direction: Direction,
): ProvenDirection | undefined {
  const key = directionKey(direction);
  const mark = state.marks[key];
  const fromMs = provenFromMs(state, report, direction);
  if (!mark || fromMs === undefined) return undefined;
  return {
    direction,
    fromMs,
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

/** Where one does not say how, it is taken to do as the other. */
function deduplicateAlike(report: KnownReport): boolean {
  const [one, other] = observations(report).map(({ dedupMs }) => dedupMs);
  if (one === undefined || other === undefined || one === other) return true;
  return Math.max(one, other) < 1_000;
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
