import {
  type ActiveSite,
  advance,
  alignDownMs,
  type Backfill,
  type BackfillFound,
  beforeCheck,
  behindUsMs,
  type CheckReport,
  type Chunk,
  type Direction,
  type DirectionKey,
  directionFrom,
  directionKey,
  dueWindows,
  errorKind,
  errorText,
  type FoundWindows,
  formatWindow,
  type Gap,
  type GapMap,
  type History,
  type Identity,
  intersect,
  judgeTwins,
  lengthMs,
  lookBackWindows,
  type Mark,
  makeWindow,
  mergeWindows,
  narrowScope,
  noteSeries,
  openOf,
  otherSite,
  PLAN_LIMITS,
  type PlanLimits,
  repairEdgeMs,
  reverse,
  type Selector,
  SITES,
  type Site,
  type SiteObservation,
  type SiteView,
  type SurplusFound,
  type SyncEvent,
  type SyncState,
  settledThroughMs,
  subtractWindows,
  VmSyncError,
  type Window,
  whyShrunken,
  withFreshness,
  withoutNumbers,
} from '@vm-sync/core';
import type { Measure } from './compare-slice.ts';
import { ValueLook } from './compare-values.ts';
import { BUCKETS_PER_SLICE, type Comparison, compareWindows } from './compare-windows.ts';
import { drawGapMap } from './draw-gap-map.ts';
import { backwards, findSurplus } from './find-surplus.ts';
import { Findings } from './findings.ts';
import { lookAtFreshness } from './freshness.ts';
import { type CheckAct, type CheckProgress, shareLookedAt } from './how-far.ts';
import { IdentityError, identify } from './identify.ts';
import type { Pair, SiteDatabase } from './ports.ts';
import { seekGaps } from './seek-gaps.ts';
import { surveyHistory } from './survey-history.ts';

export interface CheckSettings {
  /** Where this vm-sync stands: its own site is the local one. */
  readonly role: Site;
  readonly scope: readonly Selector[];
  readonly stepMs: number;
  readonly settleMs: number;
  readonly queryWindowMs: number;
  readonly threshold: number;
  /** How long one check may spend on proving wide windows; the next one goes on from there. */
  readonly proveMs: number;
  /** How long one check may spend on the time before the mark. */
  readonly surveyMs: number;
  /** How long one check may spend on looking for what only the passive site has. */
  readonly surplusMs: number;
  /** What of that is recovered: all of it (SYNC_DIRECTION=both), or what an operator asked for. */
  readonly recover: 'everything' | 'asked';
}

export interface CheckContext {
  readonly sites: Readonly<Record<Site, SiteDatabase>>;
  readonly resolveActive: () => Promise<ActiveSite>;
  readonly now: () => number;
  /** A name for a pair of VMs that has none; only who gives it marks them (the scheduler). */
  readonly newPair?: () => string;
  /** Told when each URL is known to lead to the right VM, before anything is compared. */
  readonly identified?: (direction: Direction, identity: Identity) => Promise<void>;
  /** What earlier runs in this direction have left behind. */
  readonly setAside: (direction: Direction) => Promise<SetAside>;
  /**
   * The same of recoveries, from the passive site to the active one; asked when the repairs of this check have begun.
   * `isWanted` is false when nothing is to be recovered now.
   */
  readonly setAsideRecoveries: (direction: Direction, isWanted: boolean) => Promise<SetAside>;
  /** Given every plan as soon as it is made: repairs begin while the rest of the check goes on. */
  readonly begin?: (plan: Plan, state: SyncState) => Promise<void>;
  /** True when something else waits for this check to end; what is left to prove then waits for the next one. */
  readonly isAwaited?: () => Promise<boolean>;
  /** Told how far the check is, again and again, for those who wait for it. */
  readonly progress?: (seen: CheckProgress) => void;
  readonly limits?: PlanLimits | undefined;
  /** Labels to group the gap map by, the first useful one; without them no map is drawn. */
  readonly mapLabels?: readonly string[] | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** What a run is made of. */
export interface Plan {
  readonly direction: Direction;
  /** The backfill that it is a part of; null for what is due by itself. */
  readonly backfillId: string | null;
  /** True when it brings what only the passive site has to the active one. */
  readonly recovery: boolean;
  /** Newest first. */
  readonly chunks: readonly Chunk[];
  /** False when there was more to plan than one run may hold. */
  readonly complete: boolean;
  readonly stepMs: number;
  readonly dedupMs: number;
}

/** Chunks that failed: their gaps are not planned again, and READY is not said. */
export interface SetAside {
  /** Backfills of which a run is under way: they are looked at again when it has settled. */
  readonly backfilling: ReadonlySet<string>;
  /** Windows of runs that have not settled: what is read there now is not proven yet. */
  readonly repairing: readonly Window[];
  /** Windows in which chunks of any run wait or are being copied, in either direction. */
  readonly inHand: readonly Window[];
  readonly reasons: readonly string[];
  readonly covers: (gap: Gap) => boolean;
}

export const NOTHING_SET_ASIDE: SetAside = {
  backfilling: new Set(),
  repairing: [],
  inHand: [],
  reasons: [],
  covers: () => false,
};

export interface CheckResult {
  /** The state as `beforeCheck` left it; the report is still to be applied. */
  readonly state: SyncState;
  readonly events: readonly SyncEvent[];
  readonly report: CheckReport;
  /** What a repair of the found gaps copies; empty when nothing is to be done or known. */
  readonly plans: readonly Plan[];
  /** What is missing in the last query window and in what is due; undefined when nothing is, or nobody asked. */
  readonly gapMap?: GapMap | undefined;
}

/**
 * One check: observes both sites and the direction, looks for gaps in everything that is due and plans their repair,
 * proves what has none, looks again (by counts) at the last query window, goes on with the backfills, and surveys a piece
 * of older history. Writes nothing but markers; whatever cannot be found out makes the report `unknown`, with the reason.
 */
export async function checkGaps(
  context: CheckContext,
  settings: CheckSettings,
  state: SyncState,
): Promise<CheckResult> {
  const startedMs = context.now();
  const [named, primary, dr] = await Promise.all([
    context.resolveActive(),
    view(context.sites.primary, context.signal),
    view(context.sites.dr, context.signal),
  ]);
  const sites = { primary, dr };
  const active =
    primary.healthy && dr.healthy
      ? withFreshness(named, await lookAtFreshness(context, settings, startedMs))
      : named;
  const twins =
    primary.healthy && dr.healthy
      ? judgeTwins(primary.observation, dr.observation, settings)
      : undefined;
  const seen = () => ({ atMs: startedMs, tookMs: context.now() - startedMs, active, sites, twins });
  let known = state;
  const events: SyncEvent[] = [];
  const unknown = (reason: string, siteFailed: boolean): CheckResult => ({
    state: known,
    events,
    report: { ...seen(), outcome: 'unknown', reason, siteFailed },
    plans: [],
  });

  const reason = whyNotComparable(active, sites, settings.role);
  if (reason !== undefined) return unknown(reason, !primary.healthy || !dr.healthy);
  try {
    const observed = [primary, dr].flatMap((one) => (one.healthy ? [one.observation] : []));
    const source = active.site as Site;
    const direction = directionFrom(source);
    const { scope } = settings;
    const who = await identify(context, direction, scope, state.identity, startedMs);
    known = { ...state, identity: who.identity };
    events.push(...who.events);
    // After a refusal nothing is written before a whole comparison has found nothing wrong.
    const refusedBefore = state.identity.refusal !== null;
    if (!refusedBefore) await context.identified?.(direction, who.identity);
    const plan = await compare(context, settings, known, source, observed, startedMs);
    if (refusedBefore) await context.identified?.(direction, who.identity);
    return { ...plan, events: [...events, ...plan.events], report: { ...seen(), ...plan.report } };
  } catch (error) {
    // A check that is called off has found out nothing at all, not even that it could not.
    if (context.signal?.aborted) throw error;
    if (error instanceof IdentityError) {
      const refusal = error.message;
      if (withoutNumbers(state.identity.refusal ?? '') !== withoutNumbers(refusal)) {
        events.push({ kind: 'identity-doubted', reason: refusal });
      }
      known = { ...known, identity: { ...known.identity, refusal } };
      return unknown(refusal, false);
    }
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
  const slowestMs = nowMs - behindUsMs(observations);
  const horizonMs = settledThroughMs(slowestMs, settledAge(settings), stepMs);
  const { queryWindowMs, scope } = settings;
  const now = { nowMs, horizonMs, direction, observations, queryWindowMs, stepMs };
  const { state, events } = beforeCheck(before, now);
  const setAside = await context.setAside(direction);
  const edgeMs = repairEdgeMs(nowMs, direction, observations);
  const values = new ValueLook(horizonMs);
  const comparison: Comparison = { pair, scope, measure, values, signal: context.signal };
  const look = new Look(context, comparison, state, {
    setAside,
    edgeMs,
    horizonMs,
    deadlineMs: context.now() + settings.proveMs,
    // Repairs come first; but where every check finds new gaps, the rest must be proven all the same.
    proveBesideRepairs: before.gapsDetected > 0,
  });

  const mark = state.marks[directionKey(direction)] as Mark;
  const due = onGrid(settled(dueWindows(mark, horizonMs), horizonMs), stepMs, edgeMs);
  const lookBack = onGrid(lookBackWindows(mark, horizonMs, queryWindowMs), stepMs, edgeMs);
  const found = await look.regular(due, lookBack);
  // Equality of nothing with nothing proves nothing: READY must not follow from a selector that selects no series.
  if (found.tallied.sourceSamples === 0)
    throw nothingCompared(pair, mergeWindows([...due, ...lookBack]));
  const { proven, damaged } = found.forward();
  // What the look-back found is planned already, as what is due.
  const planned = [...subtractWindows(due, proven), ...damaged];
  const backfills = await look.backfills(state.backfills, planned);
  const surplus = await look.surplus(found, settings, { nowMs, horizonMs, observations });
  const ofBackfills = backfills.flatMap((one) => one.found.damaged);
  const history = await look.survey(found, settings.surveyMs, ofBackfills);
  const backward = found.backward();
  const damagedBackward = mergeWindows([...backward.damaged, ...look.onlyThere]);
  const clean = found.isClean();
  const series = found.seriesAtOnce();
  const last = makeWindow(alignDownMs(horizonMs - queryWindowMs, stepMs), horizonMs);
  const { mapLabels } = context;
  const gapMap =
    mapLabels &&
    (await drawGapMap(
      comparison,
      { gaps: found.gaps(), samples: found.tallied.sourceSamples },
      last,
      mapLabels,
      nowMs,
    ));
  const isCalm = clean && setAside.reasons.length === 0 && series !== undefined;
  return {
    state: isCalm ? { ...state, identity: noteSeries(state.identity, series) } : state,
    events,
    plans: look.plans,
    gapMap,
    report: {
      outcome: clean && setAside.reasons.length === 0 ? 'clean' : 'gaps',
      direction,
      horizonMs,
      forward: withoutRepairing(found.forward(), setAside.repairing),
      backward: withoutRepairing(
        {
          proven: [...backward.proven, ...surplus.proven],
          damaged: subtractWindows(damagedBackward, surplus.proven),
        },
        surplus.repairing,
      ),
      tallied: found.tallied,
      leftOut: found.isFull(),
      history,
      setAside: setAside.reasons,
      surplus: surplus.found,
      values: values.found(),
      backfills: backfills.map((one) => ({
        ...one,
        found: withoutRepairing(one.found, setAside.repairing),
      })),
    },
  };
}

/** What one check looks at, piece by piece; plans are begun as soon as they are made. */
class Look {
  readonly plans: Plan[] = [];
  /** Where backfills found samples that only the destination has: known, it is told and recovered as any such time. */
  readonly onlyThere: Window[] = [];
  readonly #context: CheckContext;
  readonly #comparison: Comparison;
  readonly #state: SyncState;
  readonly #setAside: SetAside;
  readonly #edgeMs: number;
  readonly #horizonMs: number;
  readonly #deadlineMs: number;
  readonly #proveBesideRepairs: boolean;

  constructor(
    context: CheckContext,
    comparison: Comparison,
    state: SyncState,
    bounds: {
      readonly setAside: SetAside;
      readonly edgeMs: number;
      readonly horizonMs: number;
      readonly deadlineMs: number;
      readonly proveBesideRepairs: boolean;
    },
  ) {
    this.#context = context;
    this.#comparison = comparison;
    this.#state = state;
    this.#setAside = bounds.setAside;
    this.#edgeMs = bounds.edgeMs;
    this.#horizonMs = bounds.horizonMs;
    this.#deadlineMs = bounds.deadlineMs;
    this.#proveBesideRepairs = bounds.proveBesideRepairs;
  }

  async regular(due: readonly Window[], lookBack: readonly Window[]): Promise<Findings> {
    const found = this.#findings();
    for await (const slice of compareWindows(this.#comparison, lookBack, 'counts')) {
      found.add(slice.window, slice.parts, 'counts');
      this.#tell('looking back', lookBack, slice.window);
    }
    await this.#seekAndProve(this.#comparison, due, found, null);
    return found;
  }

  /** Looks at open backfills, without what is due anyway: no sample is in two plans. */
  async backfills(all: readonly Backfill[], planned: readonly Window[]): Promise<BackfillFound[]> {
    const { pair, measure, scope } = this.#comparison;
    const shown: BackfillFound[] = [];
    const taken = [...planned, ...this.#setAside.repairing];
    for (const { id, direction, state, match, unproven } of all) {
      if (state !== 'open' || direction !== directionKey(pair.direction)) continue;
      if (this.#setAside.backfilling.has(id)) continue;
      const wanted = settled(unproven, this.#horizonMs);
      const windows = subtractWindows(onGrid(wanted, measure.stepMs, this.#edgeMs), taken);
      const found = this.#findings();
      const narrowed = { ...this.#comparison, scope: narrowScope(scope, match) };
      const refused = await this.#seekAndProve(narrowed, windows, found, id).then(
        () => undefined,
        (error) => refusalOf(error, match),
      );
      if (refused !== undefined) {
        shown.push({ id, found: { proven: [], damaged: [] }, refused });
        continue;
      }
      taken.push(...found.forward().damaged);
      this.onlyThere.push(...found.backward().damaged);
      shown.push({ id, found: found.forward() });
    }
    return shown;
  }

  /**
   * Goes on with the survey when nothing is wrong, and looks at what it points to: proven time in which samples are
   * missing now. That is due again; what a backfill of this check has planned is left to it.
   */
  async survey(found: Findings, surveyMs: number, planned: readonly Window[]): Promise<History> {
    const { pair, measure } = this.#comparison;
    const key = directionKey(pair.direction);
    const [history, mark] = [this.#state.history[key] as History, this.#state.marks[key] as Mark];
    if (!found.isClean() || found.isFull()) return history;
    this.#tell('surveying');
    const { now } = this.#context;
    const spendMs = history.complete ? surveyMs * AGAIN_SHARE : surveyMs;
    const limits = { edgeMs: this.#edgeMs, deadlineMs: now() + spendMs, now };
    const seen = await surveyHistory(this.#comparison, { history, mark }, limits);
    const suspect = onGrid(seen.suspect, measure.stepMs, this.#edgeMs);
    await this.#seekAndProve(this.#comparison, subtractWindows(suspect, planned), found, null);
    return seen.history;
  }

  /**
   * Counts what only the passive site has, and plans its recovery where that is wanted. Time that the forward comparison has
   * yet to prove is left to it: it proves both directions at once.
   */
  async surplus(
    found: Findings,
    { surplusMs, recover }: Pick<CheckSettings, 'surplusMs' | 'recover'>,
    at: {
      readonly nowMs: number;
      readonly horizonMs: number;
      readonly observations: readonly SiteObservation[];
    },
  ): Promise<{
    readonly found: SurplusFound;
    readonly proven: readonly Window[];
    readonly repairing: readonly Window[];
  }> {
    const { pair, measure } = this.#comparison;
    const { marks, reconcile } = this.#state;
    const back = reverse(pair.direction);
    const backKey = directionKey(back);
    const openAfter = (key: DirectionKey, seen: FoundWindows) =>
      advance(marks[key] as Mark, at.horizonMs, seen).unproven;
    const forward = found.forward();
    const unsettled = subtractWindows(
      openAfter(directionKey(pair.direction), forward),
      forward.damaged,
    );
    const edgeMs = repairEdgeMs(at.nowMs, back, at.observations);
    const open = settled(openAfter(backKey, found.backward()), at.horizonMs);
    const all = onGrid(open, measure.stepMs, edgeMs);
    const asked = reconcile?.state === 'open' && reconcile.direction === backKey;
    const wanted = recover === 'everything';
    const setAside = await this.#context.setAsideRecoveries(back, wanted || asked);
    // Without time for it nothing is looked at.
    const busy = surplusMs > 0 ? [...unsettled, ...setAside.inHand] : all;
    const free = subtractWindows(all, busy);
    const toRecover = wanted ? free : asked ? openOf(reconcile, free) : [];
    const findings = new Findings(measure.stepMs, setAside.covers);
    this.#tell('looking backwards');
    const deadlineMs = this.#context.now() + surplusMs;
    const look = await findSurplus(
      backwards(this.#comparison),
      {
        open: free,
        wanted: onGrid(toRecover, measure.stepMs, edgeMs),
        known: this.#state.surplus[backKey],
        nowMs: at.nowMs,
        mustEnd: () => this.#mustEnd(deadlineMs),
      },
      findings,
    );
    await this.#begin(findings, null, back);
    const { compared, counted, failed } = look;
    return {
      found: { wanted, compared, counted, setAside: setAside.reasons, failed },
      proven: subtractWindows(look.proven, setAside.repairing),
      repairing: setAside.repairing,
    };
  }

  /**
   * An emptied source must not pass for one that has nothing more to give. Asked when all that is due has been looked at,
   * and before any of it is repaired: a part of it may be from before most series began.
   */
  #assertNotShrunken(found: Findings): void {
    const series = found.seriesAtOnce();
    if (series === undefined) return;
    const { source } = this.#comparison.pair.direction;
    const why = whyShrunken(this.#state.identity, source, series);
    if (why !== undefined) throw new IdentityError(why);
  }

  #findings(): Findings {
    return new Findings(this.#comparison.measure.stepMs, this.#setAside.covers);
  }

  /**
   * Narrow windows are compared exactly, which finds gaps and proves the rest at once. In wide ones gaps are looked
   * for by counts first, so that their repair begins soon; what has none is proven after that, for as long as there is
   * time, newest first.
   */
  async #seekAndProve(
    comparison: Comparison,
    windows: readonly Window[],
    found: Findings,
    backfillId: string | null,
  ): Promise<void> {
    const { measure } = comparison;
    const sliceMs = measure.stepMs * BUCKETS_PER_SLICE;
    const wide = windows.reduce((sum, window) => sum + lengthMs(window), 0) > sliceMs;
    let toProve: readonly Window[] = windows;
    let begun = false;
    // Between sites that deduplicate differently counts say nothing.
    if (wide && !measure.dedupDiffers) {
      for await (const part of seekGaps(comparison, windows)) {
        found.add(part.window, [part], 'sought');
        this.#tell('seeking', windows, part.window);
        if (found.isFull()) break;
      }
      if (backfillId === null) this.#assertNotShrunken(found);
      begun = await this.#begin(found, backfillId);
      if (found.isFull() || (begun && !this.#proveBesideRepairs)) return;
      const later = [...found.forward().damaged, ...this.#setAside.repairing];
      toProve = subtractWindows(windows, later);
    }
    for await (const slice of compareWindows(comparison, toProve, 'exact')) {
      found.add(slice.window, slice.parts, 'exact');
      this.#tell('proving', toProve, slice.window);
      if (found.isFull() || (wide && (await this.#mustEnd(this.#deadlineMs)))) break;
    }
    if (backfillId === null) this.#assertNotShrunken(found);
    // What only prints could tell is planned too, unless a run has begun already.
    if (!begun) await this.#begin(found, backfillId);
  }

  /** Without windows nothing can be said of how far it is. */
  #tell(act: CheckAct, windows?: readonly Window[], last?: Window): void {
    const share = windows && last ? shareLookedAt(windows, last.fromMs) : null;
    this.#context.progress?.({ act, share });
  }

  async #mustEnd(deadlineMs: number): Promise<boolean> {
    const { now, isAwaited } = this.#context;
    return now() > deadlineMs || ((await isAwaited?.()) ?? false);
  }

  /** True when there was something to begin. A direction is given for what is recovered. */
  async #begin(
    found: Findings,
    backfillId: string | null,
    recovered?: Direction,
  ): Promise<boolean> {
    const { pair, measure } = this.#comparison;
    const limits = this.#context.limits ?? PLAN_LIMITS;
    const chunks = found.plan(limits);
    if (chunks.length === 0) return false;
    const { stepMs, dedupMs } = measure;
    const complete = !found.isFull() && chunks.length < limits.chunksPerRun;
    const direction = recovered ?? pair.direction;
    const recovery = recovered !== undefined;
    const plan = { direction, backfillId, recovery, chunks, complete, stepMs, dedupMs };
    this.plans.push(plan);
    await this.#context.begin?.(plan, this.#state);
    return true;
  }
}

/** What everything was asked with a moment ago cannot be at fault: it is the selector that somebody narrowed it by. */
function refusalOf(error: unknown, match: readonly string[]): string {
  if (errorKind(error) === 'final' && match.length > 0) return errorText(error);
  throw error;
}

function nothingCompared({ source, direction }: Pair, windows: readonly Window[]): VmSyncError {
  const where = windows.map(formatWindow).join(', ');
  return new VmSyncError(
    'retryable',
    `${direction.source} (${source.url}), the source of truth, holds no samples in ${where}: is the collector writing there, and does SYNC_MATCH select its series?`,
  );
}

const withoutRepairing = (found: FoundWindows, repairing: readonly Window[]): FoundWindows => ({
  ...found,
  proven: subtractWindows(found.proven, repairing),
});

/** Looking again at what was surveyed before may take this share of the time of a first survey. */
const AGAIN_SHARE = 0.1;

/** The parts of windows that lie before the horizon: it may have gone back since they were due, with a clock. */
const settled = (windows: readonly Window[], horizonMs: number): Window[] =>
  subtractWindows(windows, [makeWindow(horizonMs, Number.MAX_SAFE_INTEGER)]);

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
