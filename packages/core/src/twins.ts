import { CLOCK_TOLERANCE_MS, clocksApartMs } from './clock.ts';
import { formatDuration } from './duration.ts';
import type { SyncEvent } from './event.ts';
import type { SiteObservation } from './report.ts';

/** Flags by which a database bounds what it takes, and drops or cuts the rest. */
export const LIMIT_FLAGS = [
  'maxLabelsPerTimeseries',
  'maxLabelValueLen',
  'maxLabelNameLen',
  'storage.maxHourlySeries',
  'storage.maxDailySeries',
] as const;
export type LimitFlag = (typeof LIMIT_FLAGS)[number];

/** Flags by which a database changes or drops what it is sent. */
export const REWRITING_FLAGS = [
  'relabelConfig',
  'streamAggr.config',
  'usePromCompatibleNaming',
] as const;
export type RewritingFlag = (typeof REWRITING_FLAGS)[number];

/** Something about two sites that stands in the way of their being equal: `fault` now, `advice` sooner or later. */
export interface TwinFinding {
  readonly severity: 'fault' | 'advice';
  /** What it is about; stays the same while measured numbers change. */
  readonly key: string;
  readonly subject: 'both sites' | 'primary' | 'dr' | 'the clocks';
  /** What the subject does, and what to do about it. */
  readonly text: string;
  /** True when READY cannot be said meanwhile. */
  readonly keepsReadyAway: boolean;
}

export const findingText = ({ subject, text }: TwinFinding): string => `${subject} ${text}`;

/**
 * Compares what two sites say of themselves, and says what makes them differ for ever, before it does. What a site does
 * not say gives no finding.
 */
export function judgeTwins(
  a: SiteObservation,
  b: SiteObservation,
  settings: { readonly settleMs: number },
): TwinFinding[] {
  return [
    ...judgeDedup(a, b),
    ...judgeClocks(a, b, settings.settleMs),
    ...judgeAges(a, b),
    ...judgeLabelLimits(a, b),
    ...judgeSeriesLimits(a, b),
    ...judgeRewriting(a, b),
    ...judgeVersions(a, b),
  ];
}

function finding(
  severity: TwinFinding['severity'],
  subject: TwinFinding['subject'],
  key: string,
  text: string,
): TwinFinding {
  return { severity, subject, key, text, keepsReadyAway: false };
}

/** `primary 30d, dr 1y`, where the two differ and both are known. */
function difference<T>(
  a: SiteObservation,
  b: SiteObservation,
  read: (one: SiteObservation) => T | undefined,
  show: (value: T) => string,
): string | undefined {
  const [one, other] = [read(a), read(b)];
  if (one === undefined || other === undefined || one === other) return undefined;
  return `${a.site} ${show(one)}, ${b.site} ${show(other)}`;
}

function judgeDedup(a: SiteObservation, b: SiteObservation): TwinFinding[] {
  const show = (ms: number) => (ms === 0 ? 'off' : formatDuration(ms));
  const which = difference(a, b, ({ dedupMs }) => dedupMs, show);
  if (which === undefined) return [];
  const text = `deduplicate differently (${which}): set -dedup.minScrapeInterval alike`;
  return [finding('fault', 'both sites', 'dedup', text)];
}

function judgeClocks(a: SiteObservation, b: SiteObservation, settleMs: number): TwinFinding[] {
  const apartMs = clocksApartMs([a, b]);
  if (apartMs <= CLOCK_TOLERANCE_MS) return [];
  const severe = apartMs > settleMs;
  const each = [a, b].map(({ site, clock }) => `${site}'s ${clockText(clock)}`).join(', ');
  const consequence = severe
    ? 'what is younger than SETTLE_SECONDS by the slowest of them is not judged, and READY waits until they agree'
    : 'what is younger than SETTLE_SECONDS by the slowest of them is not judged';
  const text = `are ${formatDuration(wholeSeconds(apartMs))} apart (${each}): ${consequence}; run NTP on both sites and on this machine`;
  const found = finding(severe ? 'fault' : 'advice', 'the clocks', 'clocks', text);
  return [{ ...found, keepsReadyAway: severe }];
}

function clockText(clock: SiteObservation['clock']): string {
  if (!clock) return 'is not known';
  const { offsetMs } = clock;
  const amountMs = wholeSeconds(Math.abs(offsetMs));
  if (amountMs <= 1_000) return "agrees with this machine's";
  return `is ${formatDuration(amountMs)} ${offsetMs > 0 ? 'ahead of' : 'behind'} this machine's`;
}

const wholeSeconds = (ms: number): number => Math.round(ms / 1_000) * 1_000;

function judgeAges(a: SiteObservation, b: SiteObservation): TwinFinding[] {
  const found: TwinFinding[] = [];
  const which = difference(a, b, ({ retentionMs }) => retentionMs, formatDuration);
  if (which !== undefined) {
    const text = `keep data for different times (${which}): what is older than the shorter -retentionPeriod is not compared`;
    found.push(finding('advice', 'both sites', 'retention', text));
  }
  for (const { site, maxBackfillAgeMs: ageMs, retentionMs } of [a, b]) {
    if (ageMs === undefined || (retentionMs !== undefined && ageMs >= retentionMs)) continue;
    const text = `accepts nothing older than ${formatDuration(ageMs)} (-maxBackfillAge): what an outage leaves behind for longer is beyond repair there`;
    found.push(finding('advice', site, `backfill-age-${site}`, text));
  }
  return found;
}

const LABEL_LIMITS = {
  maxLabelsPerTimeseries: { what: 'different numbers of labels', more: 'more labels' },
  maxLabelValueLen: { what: 'label values of different lengths', more: 'a longer label value' },
  maxLabelNameLen: { what: 'label names of different lengths', more: 'a longer label name' },
} as const;

function judgeLabelLimits(a: SiteObservation, b: SiteObservation): TwinFinding[] {
  return Object.entries(LABEL_LIMITS).flatMap(([flag, { what, more }]) => {
    const read = ({ limits }: SiteObservation) => limits?.[flag as LimitFlag];
    const which = difference(a, b, read, String);
    if (which === undefined) return [];
    const least = Math.min(read(a) ?? 0, read(b) ?? 0);
    const text = `accept ${what} (-${flag}: ${which}): a series with ${more} than ${least} cannot become equal; set it alike`;
    return [finding('advice', 'both sites', flag, text)];
  });
}

const SERIES_LIMITS = {
  'storage.maxHourlySeries': 'an hour',
  'storage.maxDailySeries': 'a day',
} as const;

/** Also where both have the same limit: which series come first is not the same on both sites. */
function judgeSeriesLimits(a: SiteObservation, b: SiteObservation): TwinFinding[] {
  return Object.entries(SERIES_LIMITS).flatMap(([flag, span]) =>
    [a, b].flatMap(({ site, limits }) => {
      const most = limits?.[flag as LimitFlag] ?? 0;
      if (most <= 0) return [];
      const text = `drops series beyond ${most} ${span} (-${flag}): those that the other site takes stay missing`;
      return [finding('advice', site, `${flag}-${site}`, text)];
    }),
  );
}

function judgeRewriting(a: SiteObservation, b: SiteObservation): TwinFinding[] {
  if (!a.rewrites || !b.rewrites) return [];
  const sets = (one: SiteObservation, flag: RewritingFlag) => one.rewrites?.includes(flag) ?? false;
  return REWRITING_FLAGS.flatMap((flag) => {
    const [one, other] = [sets(a, flag), sets(b, flag)];
    if (!one && !other) return [];
    if (one && other) {
      // A flag without a file to it says all.
      if (flag === 'usePromCompatibleNaming') return [];
      const text = `change what they are sent (-${flag}): keep their files alike, vm-sync cannot compare them`;
      return [finding('advice', 'both sites', flag, text)];
    }
    const { site } = one ? a : b;
    const text = `changes what it is sent (-${flag}), and the other site does not: series that it renames or drops cannot become equal`;
    return [finding('advice', site, `${flag}-${site}`, text)];
  });
}

function judgeVersions(a: SiteObservation, b: SiteObservation): TwinFinding[] {
  const which = difference(a, b, ({ version }) => version, String);
  if (which === undefined) return [];
  const text = `run different versions (${which}): the defaults of their limits differ, and repairs may have to do without native blocks`;
  return [finding('advice', 'both sites', 'version', text)];
}

/** A finding that has been told. */
export interface ToldFinding {
  readonly key: string;
  readonly severity: TwinFinding['severity'];
  readonly seenMs: number;
}

/** A finding that comes and goes (a clock at the edge of the tolerance) is not told again within this time. */
export const TOLD_MEMORY_MS = 3_600_000;

/** What is told of the findings of a check, each once; and what is remembered of that. */
export function noteTwins(
  told: readonly ToldFinding[],
  findings: readonly TwinFinding[],
  nowMs: number,
): { readonly told: readonly ToldFinding[]; readonly events: readonly SyncEvent[] } {
  const same = (one: ToldFinding, { key, severity }: TwinFinding) =>
    one.key === key && one.severity === severity;
  const fresh = findings.filter((found) => !told.some((one) => same(one, found)));
  const gone = told.filter((one) => !findings.some((found) => same(one, found)));
  return {
    told: [
      ...gone.filter(({ seenMs }) => nowMs - seenMs < TOLD_MEMORY_MS),
      ...findings.map(({ key, severity }) => ({ key, severity, seenMs: nowMs })),
    ],
    events: fresh.map((found): SyncEvent => ({ kind: 'twins-differ', finding: found })),
  };
}
