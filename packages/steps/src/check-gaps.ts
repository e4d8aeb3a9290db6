import {
  type ActiveSite,
  addTallied,
  beforeCheck,
  type CheckReport,
  type Chunk,
  type Direction,
  directionFrom,
  directionKey,
  dueWindows,
  errorText,
  formatWindow,
  type Gap,
  type History,
  intersect,
  lookBackWindows,
  type Mark,
  makeWindow,
  mergeWindows,
  NOTHING_TALLIED,
  newestFirst,
  otherSite,
  PLAN_LIMITS,
  type PlanLimits,
  planSlice,
  retentionEdgeMs,
  type Selector,
  SITES,
  type Site,
  type SiteObservation,
  type SiteView,
  type SyncEvent,
  type SyncState,
  seriesKey,
  settledThroughMs,
  subtractWindows,
  type Tallied,
  VmSyncError,
  type Window,
} from '@vm-sync/core';
import type { Measure, SliceResult } from './compare-slice.ts';
import { compareWindows } from './compare-window.ts';
import type { Pair, SiteDatabase } from './ports.ts';
import { surveyHistory } from './survey-history.ts';

export interface CheckSettings {
  /** Where this vm-sync stands: its own site is the local one. */
  readonly role: Site;
  readonly scope: readonly Selector[];
  readonly stepMs: number;
  readonly settleMs: number;
  readonly queryWindowMs: number;
  readonly threshold: number;
  /** How long one check may spend on the time before the mark. */
  readonly surveyMs: number;
  readonly limits?: PlanLimits;
}

export interface CheckContext {
  readonly sites: Readonly<Record<Site, SiteDatabase>>;
  readonly resolveActive: () => Promise<ActiveSite>;
  readonly now: () => number;
  /** What earlier runs in this direction have left behind. */
  readonly setAside: (direction: Direction) => Promise<SetAside>;
  readonly signal?: AbortSignal | undefined;
}

/** Chunks that failed: their gaps are not planned again, and READY is not said. */
export interface SetAside {
  /** Windows of runs that have not settled: what is read there now is not proven yet. */
  readonly repairing: readonly Window[];
  readonly reasons: readonly string[];
  readonly covers: (gap: Gap) => boolean;
}

export const NOTHING_SET_ASIDE: SetAside = { repairing: [], reasons: [], covers: () => false };

export interface CheckResult {
  /** The state as `beforeCheck` left it; the report is still to be applied. */
  readonly state: SyncState;
  readonly events: readonly SyncEvent[];
  readonly report: CheckReport;
  /** What a repair of the found gaps would copy, newest first; empty when nothing is to be done or known. */
  readonly chunks: readonly Chunk[];
  readonly plannedFor: { readonly stepMs: number; readonly dedupMs: number } | undefined;
}

/**
 * One check: observes both sites and the direction, compares everything that is due (exactly) and the last query
 * window (by counts), surveys a piece of older history, and plans the repair. Writes nothing; whatever cannot be found
 * out makes the report `unknown`, with the reason.
 */
export async function checkGaps(
  context: CheckContext,
  settings: CheckSettings,
  state: SyncState,
): Promise<CheckResult> {
  const startedMs = context.now();
  const [active, primary, dr] = await Promise.all([
    context.resolveActive(),
    view(context.sites.primary, context.signal),
    view(context.sites.dr, context.signal),
  ]);
  const sites = { primary, dr };
  const seen = () => ({ atMs: startedMs, tookMs: context.now() - startedMs, active, sites });
  const unknown = (reason: string, siteFailed: boolean): CheckResult => ({
    state,
    events: [],
    report: { ...seen(), outcome: 'unknown', reason, siteFailed },
    chunks: [],
    plannedFor: undefined,
  });

  const reason = whyNotComparable(active, sites, settings.role);
  if (reason !== undefined) return unknown(reason, !primary.healthy || !dr.healthy);
  try {
    const known = [primary, dr].flatMap((one) => (one.healthy ? [one.observation] : []));
    const plan = await compare(context, settings, state, active.site as Site, known, startedMs);
    return { ...plan, report: { ...seen(), ...plan.report } };
  } catch (error) {
    // A check that is called off has found out nothing at all, not even that it could not.
    if (context.signal?.aborted) throw error;
    return unknown(errorText(error), true);
  }
}

async function view(site: SiteDatabase, signal: AbortSignal | undefined): Promise<SiteView> {
  try {
    return { healthy: true, observation: await site.observe(signal) };
  } catch (error) {
    if (signal?.aborted) throw error;
    return { healthy: false, url: site.url, reason: errorText(error) };
  }
}

/** Without both sites and a direction there is nothing to compare. */
function whyNotComparable(
  active: ActiveSite,
  sites: Readonly<Record<Site, SiteView>>,
  role: Site,
): string | undefined {
  const faults = SITES.flatMap((site) => {
    const one = sites[site];
    if (one.healthy) return [];
    return [`${site === role ? 'Local' : 'Remote'} VM unhealthy: ${one.url} (${one.reason})`];
  });
  if (active.site === 'unknown') faults.push(`active site unknown: ${active.reason}`);
  return faults.length > 0 ? faults.join('; ') : undefined;
}

type Compared = Omit<CheckResult, 'report'> & {
  readonly report: Omit<
    Exclude<CheckReport, { outcome: 'unknown' }>,
    'atMs' | 'tookMs' | 'active' | 'sites'
  >;
};

async function compare(
  context: CheckContext,
  settings: CheckSettings,
  before: SyncState,
  source: Site,
  observations: readonly SiteObservation[],
  nowMs: number,
): Promise<Compared> {
  const direction = directionFrom(source);
  const pair: Pair = {
    direction,
    source: context.sites[source],
    destination: context.sites[otherSite(source)],
  };
  const measure = measureOf(settings, observations);
  const { stepMs } = measure;
  const horizonMs = settledThroughMs(nowMs, settledAge(settings), stepMs);
  const { queryWindowMs } = settings;
  const now = { nowMs, horizonMs, direction, observations, queryWindowMs, stepMs };
  const { state, events } = beforeCheck(before, now);
  const key = directionKey(direction);
  const mark = state.marks[key] as Mark;
  const edgeMs = retentionEdgeMs(nowMs, observations);

  const due = onGrid(dueWindows(mark, horizonMs), stepMs, edgeMs);
  const lookBack = onGrid(lookBackWindows(mark, horizonMs, queryWindowMs), stepMs, edgeMs);
  const setAside = await context.setAside(direction);
  const found = new Findings(settings.limits ?? PLAN_LIMITS, setAside.covers, stepMs);
  const { scope } = settings;
  for await (const slice of compareWindows(
    pair,
    scope,
    lookBack,
    'counts',
    measure,
    context.signal,
  )) {
    found.add(slice.window, slice.parts, 'counts');
  }
  for await (const slice of compareWindows(pair, scope, due, 'exact', measure, context.signal)) {
    found.add(slice.window, slice.parts, 'exact');
    if (found.isFull()) break;
  }
  // Equality of nothing with nothing proves nothing: READY must not follow from a selector that selects no series.
  if (found.tallied.sourceSamples === 0)
    throw nothingCompared(pair, mergeWindows([...due, ...lookBack]));
  const leftOut = found.isFull();
  let history = state.history[key] as History;
  if (found.isClean()) {
    const surveyMs = history.complete ? settings.surveyMs * AGAIN_SHARE : settings.surveyMs;
    const limits = { edgeMs, deadlineMs: context.now() + surveyMs, now: context.now };
    const seen = await surveyHistory(
      pair,
      scope,
      { history, mark },
      limits,
      measure,
      context.signal,
    );
    history = seen.history;
    // Proven time in which samples are missing now: looked at exactly, and due again where that is so.
    const suspect = onGrid(seen.suspect, stepMs, edgeMs);
    for await (const slice of compareWindows(
      pair,
      scope,
      suspect,
      'exact',
      measure,
      context.signal,
    )) {
      found.add(slice.window, slice.parts, 'exact');
    }
  }
  const clean = found.isClean();
  return {
    state,
    events,
    chunks: newestFirst(found.chunks),
    plannedFor: { stepMs, dedupMs: measure.dedupMs },
    report: {
      outcome: clean && setAside.reasons.length === 0 ? 'clean' : 'gaps',
      direction,
      horizonMs,
      forward: withoutRepairing(found.forward(), setAside.repairing),
      backward: found.backward(),
      tallied: found.tallied,
      leftOut,
      history,
      setAside: setAside.reasons,
    },
  };
}

function nothingCompared({ source, direction }: Pair, windows: readonly Window[]): VmSyncError {
  const where = windows.map(formatWindow).join(', ');
  return new VmSyncError(
    'retryable',
    `${direction.source} (${source.url}), the source of truth, holds no samples in ${where}: is the collector writing there, and does SYNC_MATCH select its series?`,
  );
}

const withoutRepairing = (
  found: { proven: Window[]; damaged: Window[] },
  repairing: readonly Window[],
) => ({ ...found, proven: subtractWindows(found.proven, repairing) });

/** Looking again at what was surveyed before may take this share of the time of a first survey. */
const AGAIN_SHARE = 0.1;

/** Collects what slices showed, until the plan is as large as one run may be. */
class Findings {
  tallied: Tallied = NOTHING_TALLIED;
  readonly chunks: Chunk[] = [];
  readonly #limits: PlanLimits;
  readonly #covered: (gap: Gap) => boolean;
  readonly #stepMs: number;
  readonly #exact: Window[] = [];
  readonly #damaged: Window[] = [];
  readonly #damagedBackward: Window[] = [];
  /** Series with a gap that reaches back to the beginning of the slice before: it may go on in the next. */
  #goingOn = new Map<number, Set<string>>();

  constructor(limits: PlanLimits, covered: (gap: Gap) => boolean, stepMs: number) {
    this.#limits = limits;
    this.#covered = covered;
    this.#stepMs = stepMs;
  }

  add(window: Window, parts: readonly SliceResult[], depth: 'exact' | 'counts'): void {
    if (depth === 'exact') this.#exact.push(window);
    const { series: before, ...sums } = this.tallied;
    let series = 0;
    let tallied: Tallied = { ...sums, series: 0 };
    for (const part of parts) {
      tallied = addTallied(tallied, part.tallied);
      series += part.tallied.series;
      this.#damaged.push(...part.damaged);
      this.#damagedBackward.push(...part.damagedBackward);
      tallied = { ...tallied, gaps: tallied.gaps - this.#continued(part) };
      const gaps = part.gaps.filter((gap) => !this.#covered(gap));
      this.chunks.push(...planSlice({ ...part, gaps }, this.#stepMs, this.#limits));
    }
    this.tallied = { ...tallied, series: Math.max(before, series) };
  }

  /** How many gaps of a part are the older ends of gaps that have been counted: slices come newest first. */
  #continued({ window, gaps }: SliceResult): number {
    const counted = this.#goingOn.get(window.toMs);
    const goingOn = this.#goingOn.get(window.fromMs) ?? new Set();
    let continued = 0;
    for (const gap of gaps) {
      const key = seriesKey(gap.labels);
      if (gap.toMs === window.toMs && counted?.has(key)) continued += 1;
      if (gap.fromMs === window.fromMs) goingOn.add(key);
    }
    this.#goingOn.set(window.fromMs, goingOn);
    return continued;
  }

  isClean(): boolean {
    return this.tallied.gaps === 0 && !this.isFull();
  }

  isFull(): boolean {
    return this.chunks.length >= this.#limits.chunksPerRun;
  }

  forward(): { proven: Window[]; damaged: Window[] } {
    const damaged = mergeWindows(this.#damaged);
    return { proven: subtractWindows(this.#exact, damaged), damaged };
  }

  backward(): { proven: Window[]; damaged: Window[] } {
    const damaged = mergeWindows(this.#damagedBackward);
    return { proven: subtractWindows(this.#exact, damaged), damaged };
  }
}

/** Windows on the grid of buckets, and within the retention. */
function onGrid(windows: readonly Window[], stepMs: number, edgeMs: number): Window[] {
  const from = Math.ceil(edgeMs / stepMs) * stepMs;
  const kept = makeWindow(from, Number.MAX_SAFE_INTEGER - (Number.MAX_SAFE_INTEGER % stepMs));
  const widened = windows.map(({ fromMs, toMs }) =>
    makeWindow(Math.floor(fromMs / stepMs) * stepMs, Math.ceil(toMs / stepMs) * stepMs),
  );
  return mergeWindows(widened).flatMap((window) => intersect(window, kept) ?? []);
}

/**
 * Below a step of a minute, a server repeats the previous point for the last 30 seconds, on both sides alike: there a
 * younger horizon would see equality where there is none (measured).
 */
const settledAge = (settings: CheckSettings): number =>
  settings.stepMs < 60_000 ? Math.max(settings.settleMs, 45_000) : settings.settleMs;

/** A bucket must be a multiple of both sites' deduplication interval, or deduplication makes false gaps. */
function measureOf(settings: CheckSettings, observations: readonly SiteObservation[]): Measure {
  const intervals = observations.map(({ dedupMs }) => dedupMs ?? 0);
  const stepMs = intervals.reduce(
    (step, dedupMs) => (dedupMs >= 1_000 ? leastCommonMultiple(step, dedupMs) : step),
    settings.stepMs,
  );
  const known = observations.every(({ dedupMs }) => dedupMs !== undefined);
  const [one = 0, other = 0] = intervals;
  const dedupMs = Math.max(one, other);
  return {
    stepMs,
    threshold: settings.threshold,
    dedupMs,
    dedupDiffers: known && dedupMs >= 1_000 && one !== other,
  };
}

function leastCommonMultiple(a: number, b: number): number {
  let [high, low] = [a, b];
  while (low > 0) [high, low] = [low, high % low];
  return (a / high) * b;
}
