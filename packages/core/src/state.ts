import {
  addToBackfill,
  type Backfill,
  beingBackfilled,
  giveUpBackfillsBefore,
  proveBackfills,
  reopenBackfills,
} from './backfill.ts';
import { ageOut, type BeyondRepair } from './beyond.ts';
import { aheadOfUsMs, ourTimeMs } from './clock.ts';
import { type Conflicts, conflictsAfter, NO_CONFLICTS } from './conflict.ts';
import { directionDoubts } from './direction.ts';
import { type DirectionMemory, NO_DIRECTION } from './direction-memory.ts';
import type { SyncEvent } from './event.ts';
import { type History, nextPass, unsurveyed, withDiffering, withoutProven } from './history.ts';
import { type Identity, NO_IDENTITY } from './identity.ts';
import { type Believed, NOTHING_BELIEVED } from './lasting.ts';
import { advance, applyBackfill, firstMark, type Mark, reopen } from './mark.ts';
import type { Pin } from './pin.ts';
import { proveReconcile, type Reconcile } from './reconcile.ts';
import { remaining } from './remaining.ts';
import type { CheckReport, FoundWindows, SettledRun, SiteObservation } from './report.ts';
import {
  DIRECTION_KEYS,
  type Direction,
  type DirectionKey,
  directionFrom,
  directionKey,
  reverse,
  SITES,
  type Site,
} from './site.ts';
import {
  forgetInto,
  forgetProven,
  NOTHING_STUCK,
  type StuckMemory,
  stuckReasons,
  stuckSamples,
} from './stuck.ts';
import {
  NO_SURPLUS,
  recoversNow,
  type Surplus,
  type SurplusFound,
  surplusAfter,
  surplusSentence,
  toBeCounted,
} from './surplus.ts';
import { findingText, noteTwins, type ToldFinding } from './twins.ts';
import {
  alignDownMs,
  formatWindow,
  makeWindow,
  spanOf,
  subtractWindows,
  type Window,
} from './window.ts';
import { withoutNumbers } from './wording.ts';

/** A repaired window, kept until the destination has certainly written it to disk. */
export interface RecentRepair {
  readonly direction: DirectionKey;
  readonly window: Window;
  readonly settledMs: number;
}

/** From the first check that found gaps to the first clean one after it. */
export interface Episode {
  readonly sinceMs: number;
  readonly direction: DirectionKey;
  readonly samplesRepaired: number;
}

/** Everything that vm-sync remembers between checks. */
export interface SyncState {
  readonly lastCheckMs: number | null;
  readonly lastSyncMs: number | null;
  readonly consecutiveClean: number;
  readonly failbackReady: boolean;
  readonly activeSite: Site | 'unknown';
  readonly direction: DirectionMemory;
  /** A person's word about the direction; null when there is none. */
  readonly pin: Pin | null;
  readonly gapsDetected: number;
  readonly samplesSynced: number;
  readonly lastError: string | null;
  readonly marks: Readonly<Record<DirectionKey, Mark | null>>;
  readonly history: Readonly<Record<DirectionKey, History | null>>;
  readonly recentRepairs: readonly RecentRepair[];
  /** Ids of the last runs whose samples are counted, the newest last. */
  readonly countedRuns: readonly string[];
  /** The unfinished ones, and the last that ended. */
  readonly backfills: readonly Backfill[];
  /** What was open when it became too old for any repair; oldest first in each direction. */
  readonly beyondRepair: readonly BeyondRepair[];
  readonly stuck: StuckMemory;
  /** What was told of the sites' settings and clocks. */
  readonly twinsTold: readonly ToldFinding[];
  /** By the direction in which it would be recovered: what its source has and its destination, when active, lacks. */
  readonly surplus: Readonly<Record<DirectionKey, Surplus>>;
  /** The order to recover that is open, or the last one. */
  readonly reconcile: Reconcile | null;
  /** Samples of the same series and time with different values. */
  readonly conflicts: Conflicts;
  readonly identity: Identity;
  readonly startedMs: Readonly<Record<Site, number | null>>;
  /** When a site was last seen unable to answer: samples from around then may be missing, and are not settled yet. */
  readonly doubtMs: number | null;
  readonly episode: Episode | null;
  /** Why READY is not said; empty when it is. */
  readonly reasons: readonly string[];
  /** What people were told last of what comes and goes. */
  readonly believed: Believed;
}

export const EMPTY_STATE: SyncState = {
  lastCheckMs: null,
  lastSyncMs: null,
  consecutiveClean: 0,
  failbackReady: false,
  activeSite: 'unknown',
  direction: NO_DIRECTION,
  pin: null,
  gapsDetected: 0,
  samplesSynced: 0,
  lastError: null,
  marks: { 'primary-to-dr': null, 'dr-to-primary': null },
  history: { 'primary-to-dr': null, 'dr-to-primary': null },
  recentRepairs: [],
  countedRuns: [],
  backfills: [],
  beyondRepair: [],
  stuck: NOTHING_STUCK,
  twinsTold: [],
  surplus: { 'primary-to-dr': NO_SURPLUS, 'dr-to-primary': NO_SURPLUS },
  reconcile: null,
  conflicts: NO_CONFLICTS,
  identity: NO_IDENTITY,
  startedMs: { primary: null, dr: null },
  doubtMs: null,
  episode: null,
  reasons: ['no check has been made yet'],
  believed: NOTHING_BELIEVED,
};

export interface Step {
  readonly state: SyncState;
  readonly events: readonly SyncEvent[];
}

/**
 * How long a settled repair is remembered for a restart of its destination. VictoriaMetrics writes to disk within
 * seconds by default; an hour covers servers whose flush interval was raised.
 */
export const REPAIR_MEMORY_MS = 3_600_000;

/**
 * A destination that is killed forgets what it accepted within its last seconds (measured: everything up to 6 s, nothing
 * from 10 s on). What was repaired later than this before a check is seen, but not yet proven by it.
 */
export const CONFIRM_AFTER_MS = 15_000;

const unconfirmed = (state: SyncState, key: DirectionKey, atMs: number): Window[] =>
  state.recentRepairs
    .filter((repair) => repair.direction === key && atMs - repair.settledMs < CONFIRM_AFTER_MS)
    .map((repair) => repair.window);

/**
 * What has to be set right in the state before a check in `direction` compares anything: a first mark where there is
 * none, repairs to be checked again after their destination restarted, and time that has left the retention.
 */
export function beforeCheck(
  state: SyncState,
  now: {
    readonly nowMs: number;
    readonly horizonMs: number;
    readonly direction: Direction;
    readonly observations: readonly SiteObservation[];
    readonly queryWindowMs: number;
    readonly stepMs: number;
  },
): Step {
  const events: SyncEvent[] = [];
  const marks = { ...state.marks };
  const history = { ...state.history };
  let { backfills, beyondRepair, stuck } = state;
  for (const direction of [now.direction, reverse(now.direction)]) {
    const key = directionKey(direction);
    if (marks[key] === null) {
      marks[key] = firstMark(now.horizonMs, now.queryWindowMs, now.stepMs);
      if (direction === now.direction) {
        events.push({ kind: 'mark-started', sinceMs: marks[key].sinceMs });
      }
    }
    history[key] ??= unsurveyed(now.nowMs, marks[key].sinceMs);
    const aged = ageOut(
      { mark: marks[key], history: history[key], beyondRepair },
      { ...now, direction, missingIn: (window) => stuckSamples(state.stuck, key, window) },
    );
    marks[key] = aged.mark;
    history[key] = aged.history;
    beyondRepair = aged.beyondRepair;
    events.push(...aged.events);
    const narrowed = giveUpBackfillsBefore(backfills, key, aged.edgeMs, now.nowMs);
    backfills = narrowed.backfills;
    events.push(...narrowed.events);
  }

  const startedMs = { ...state.startedMs };
  let { recentRepairs } = state;
  let restarted = false;
  for (const observation of now.observations) {
    const { site, startedMs: started } = observation;
    const before = startedMs[site];
    if (started === undefined) continue;
    startedMs[site] = started;
    if (before === null || before === started) continue;
    restarted = true;
    const key = directionKey(reverse(directionFrom(site)));
    stuck = forgetInto(stuck, key);
    // All that were recent when it was seen last: it may have been killed right then, and away for hours since.
    const forgotten = recentRepairs.filter((repair) => repair.direction === key);
    if (forgotten.length === 0) continue;
    // What was repaired since it came back may go with its next kill.
    const backMs = ourTimeMs(started, observation) - CONFIRM_AFTER_MS;
    recentRepairs = recentRepairs.filter(
      (repair) => repair.direction !== key || repair.settledMs > backMs,
    );
    const windows = forgotten.map((repair) => repair.window);
    const { sinceMs } = marks[key] as Mark;
    // What lies in marked time is due again anyway.
    const older = subtractWindows(windows, [makeWindow(sinceMs, Number.MAX_SAFE_INTEGER)]);
    backfills = reopenBackfills(backfills, key, older);
    marks[key] = reopen(marks[key] as Mark, windows);
    events.push({ kind: 'repairs-reopened', site, windows: forgotten.length });
  }
  recentRepairs = recentRepairs.filter((repair) => now.nowMs - repair.settledMs < REPAIR_MEMORY_MS);
  const lookBackFromMs = alignDownMs(now.horizonMs - now.queryWindowMs, now.stepMs);
  for (const key of DIRECTION_KEYS) {
    const before = history[key];
    // What is older than the first check is no part of a look-back that a clock has set back.
    const settledMs = Math.min(marks[key]?.sinceMs ?? 0, now.horizonMs);
    const at = { nowMs: now.nowMs, lookBackFromMs: Math.max(lookBackFromMs, settledMs), restarted };
    history[key] = before && nextPass(before, at);
  }
  const settled = { marks, history, backfills, beyondRepair, stuck, startedMs, recentRepairs };
  return { state: { ...state, ...settled }, events };
}

/** What a check's result makes of the state, and what is told of it. READY is decided here and nowhere else. */
export function afterCheck(state: SyncState, report: CheckReport, cleanChecks: number): Step {
  const events: SyncEvent[] = [];
  const active = report.active.site;
  const turned = active !== state.activeSite;
  if (turned) {
    events.push({
      kind: 'direction-changed',
      from: state.activeSite,
      to: active,
      reason: report.active.reason,
    });
  }
  const twins = report.twins && noteTwins(state.twinsTold, report.twins, report.atMs);
  events.push(...(twins?.events ?? []));
  const twinsTold = twins?.told ?? state.twinsTold;
  const common = { ...state, lastCheckMs: report.atMs, activeSite: active, twinsTold };
  if (report.outcome === 'unknown') {
    if (withoutNumbers(state.lastError ?? '') !== withoutNumbers(report.reason)) {
      const { reason, siteFailed } = report;
      events.push({ kind: 'check-unknown', reason, siteFailed });
    }
    return withdraw(
      {
        ...common,
        consecutiveClean: 0,
        lastError: report.reason,
        doubtMs: report.siteFailed ? report.atMs + report.tookMs : state.doubtMs,
        reasons: [report.reason],
      },
      events,
    );
  }

  const key = directionKey(report.direction);
  const back = directionKey(reverse(report.direction));
  const { horizonMs, tallied } = report;
  const confirmed = (found: FoundWindows, of = key): FoundWindows => ({
    ...found,
    proven: subtractWindows(found.proven, unconfirmed(state, of, report.atMs)),
  });
  const forward = confirmed(report.forward);
  const backward = confirmed(report.backward, back);
  const shown = report.backfills.map((one) => ({ ...one, found: confirmed(one.found) }));
  const backfilled = afterBackfills(
    { ...state, marks: { ...state.marks, [key]: advance(markOf(state, key), horizonMs, forward) } },
    { key, atMs: report.atMs, history: withoutProven(report.history, forward.proven) },
    shown,
    events,
  );
  const ofAll = shown.filter(({ id }) => isOfAll(state.backfills.find((one) => one.id === id)));
  const proven = subtractWindows(
    [...forward.proven, ...ofAll.flatMap(({ found }) => found.proven)],
    forward.damaged,
  );
  const { backfills, history } = backfilled;
  const marks = {
    ...backfilled.marks,
    [back]: advance(markOf(state, back), horizonMs, backward),
  };
  const reconcile = proveReconcile(state.reconcile, marks, report.atMs, events);
  const isBoth = report.surplus?.wanted === true;
  const recovering = recoversNow({ activeSite: active, reconcile }, isBoth);
  const backwards = { direction: reverse(report.direction), found: report.surplus, marks };
  const surplus = surplusAfter(state.surplus, { ...backwards, recovering }, events);
  const sameWay = !turned || state.activeSite === 'unknown';
  const clean = report.outcome === 'clean' && marks[key]?.unproven.length === 0;
  const consecutiveClean = clean ? (sameWay ? state.consecutiveClean : 0) + 1 : 0;
  let next: SyncState = {
    ...common,
    marks,
    history,
    backfills,
    stuck: forgetProven(forgetProven(state.stuck, key, proven), back, backward.proven),
    surplus,
    reconcile,
    conflicts: conflictsAfter(state.conflicts, report.values, report.atMs, events),
    consecutiveClean,
    gapsDetected: tallied.gaps,
    lastError: null,
  };
  next = episodeAfter(next, report, key, clean, events);
  const reasons = whyNotReady(next, report, key, cleanChecks);
  if (reasons.length > 0) return withdraw({ ...next, reasons }, events);
  if (!state.failbackReady || turned) {
    const { direction } = report;
    const { tolerated } = tallied;
    const beyondRepair = next.beyondRepair.filter((one) => one.direction === key).length;
    const cleanChecks = consecutiveClean;
    const ready = { direction, cleanChecks, tolerated, beyondRepair } as const;
    const surplus = surplusSentence(next, isBoth);
    events.push({ kind: 'failback-ready', ...ready, surplus });
  }
  return { state: { ...next, failbackReady: true, reasons: [] }, events };
}

const isOfAll = (backfill: Backfill | undefined): boolean => backfill?.match.length === 0;

const markOf = (state: SyncState, key: DirectionKey): Mark => state.marks[key] as Mark;

/**
 * Applies what was found in the ranges of backfills: to them, and to mark and history. Proof of some series only is no
 * proof of the time; damage is damage however it was found, and in history that nobody surveys exactly it is known now.
 */
function afterBackfills(
  state: SyncState,
  of: { readonly key: DirectionKey; readonly atMs: number; readonly history: History },
  shown: CheckReportBackfills,
  events: SyncEvent[],
): Pick<SyncState, 'backfills' | 'marks' | 'history'> {
  const { key, atMs } = of;
  let mark = reopenHistory(markOf(state, key), of.history);
  let history = of.history;
  for (const { id, found } of shown) {
    const backfill = state.backfills.find((one) => one.id === id);
    if (backfill?.direction !== key) continue;
    const ofAll = isOfAll(backfill);
    const { sinceMs } = mark;
    mark = applyBackfill(mark, ofAll ? found : { ...found, proven: [] });
    if (!ofAll) continue;
    const older = subtractWindows(found.damaged, [makeWindow(sinceMs, Number.MAX_SAFE_INTEGER)]);
    history = withDiffering(withoutProven(history, found.proven), older);
  }
  const proven = proveBackfills(state.backfills, key, shown, atMs);
  events.push(...proven.events);
  return {
    backfills: proven.backfills,
    marks: { ...state.marks, [key]: mark },
    history: { ...state.history, [key]: history },
  };
}

type CheckReportBackfills = KnownReport['backfills'];

/** History that a survey found differing again is not proven any more. */
const reopenHistory = (mark: Mark, { differing }: History): Mark => ({
  ...mark,
  earlier: subtractWindows(mark.earlier, differing),
});

type KnownReport = Exclude<CheckReport, { outcome: 'unknown' }>;

/** Opens an episode at its first gap, closes it at the first clean check; each is told once. */
function episodeAfter(
  state: SyncState,
  report: KnownReport,
  key: DirectionKey,
  clean: boolean,
  events: SyncEvent[],
): SyncState {
  const { direction, tallied, atMs } = report;
  const episode = state.episode?.direction === key ? state.episode : null;
  if (!clean) {
    if (episode || tallied.gaps === 0) return { ...state, episode };
    const { gaps, missing: samples } = tallied;
    const window = spanOf(report.forward.damaged);
    events.push({
      kind: 'gap-detected',
      direction,
      gaps,
      samples,
      atLeast: report.leftOut,
      window,
    });
    return { ...state, episode: { sinceMs: atMs, direction: key, samplesRepaired: 0 } };
  }
  if (episode) {
    const samples = episode.samplesRepaired;
    const tookMs = atMs - episode.sinceMs;
    const remains = remaining(state, report);
    events.push({ kind: 'sync-complete', direction, samples, tookMs, remains });
  }
  return { ...state, episode: null };
}

function whyNotReady(
  state: SyncState,
  report: KnownReport,
  key: DirectionKey,
  cleanChecks: number,
): string[] {
  const { destination } = report.direction;
  const reasons = directionDoubts(report.active);
  const { gaps, missing } = report.tallied;
  if (gaps > 0) {
    const least = report.leftOut ? 'at least ' : '';
    reasons.push(`${destination} lacks ${least}${missing} samples in ${least}${gaps} gaps`);
    reasons.push(...stuckReasons(state.stuck, report.direction));
  }
  reasons.push(...report.setAside);
  if (report.surplus?.wanted) reasons.push(...whyNotBoth(state, report, report.surplus));
  const [unproven] = (state.marks[key] as Mark).unproven;
  if (unproven && gaps === 0) reasons.push(`not yet proven: ${formatWindow(unproven)}`);
  const { differing, complete } = state.history[key] as History;
  const [first] = differing;
  if (first) {
    const days = differing.length === 1 ? '' : ` and ${differing.length - 1} more windows`;
    const whole = makeWindow(first.fromMs, differing.at(-1)?.toMs ?? first.toMs);
    const advice = historyAdvice(beingBackfilled(state.backfills, key, whole), whole);
    reasons.push(
      `the sites differ before this vm-sync's first check, in ${formatWindow(first)}${days}: ${advice}`,
    );
  } else if (!complete) reasons.push('what is older than QUERY_WINDOW is still being surveyed');
  for (const found of report.twins ?? []) {
    if (found.keepsReadyAway) reasons.push(findingText(found));
  }
  // The doubt was noted by our clock; by one that is ahead, samples of that time are dated later.
  const doubtMs = state.doubtMs === null ? null : state.doubtMs + aheadOfUsMs(observed(report));
  if (doubtMs !== null && report.horizonMs < doubtMs) {
    const until = new Date(doubtMs).toISOString();
    reasons.push(
      `a site could not be asked until ${until}: samples of that time have not settled yet`,
    );
  }
  if (state.consecutiveClean < cleanChecks) {
    reasons.push(`${state.consecutiveClean} of ${cleanChecks} clean checks in a row`);
  }
  return reasons;
}

const observed = ({ sites }: KnownReport): SiteObservation[] =>
  SITES.flatMap((site) => {
    const view = sites[site];
    return view?.healthy ? [view.observation] : [];
  });

/** With SYNC_DIRECTION=both the active site must be proven to hold everything too. */
function whyNotBoth(
  state: SyncState,
  { direction }: KnownReport,
  { setAside, failed }: SurplusFound,
): string[] {
  const back = reverse(direction);
  const [open] = (state.marks[directionKey(back)] as Mark).unproven;
  if (!open) return [];
  const proof = `not yet proven that ${back.destination} holds everything that ${back.source} has`;
  return [
    surplusSentence(state, true) ?? `${proof}: ${formatWindow(open)}`,
    ...stuckReasons(state.stuck, back),
    ...setAside,
    ...(failed === null ? [] : [`what only ${back.source} has was not looked at: ${failed}`]),
  ];
}

/** What an operator has to do about a difference in history, which is nothing when a backfill is at work on it. */
function historyAdvice(backfill: Backfill | undefined, { fromMs, toMs }: Window): string {
  if (!backfill) return `run vm-sync backfill --from ${iso(fromMs)} --to ${iso(toMs)}`;
  if (backfill.state === 'paused') {
    return `backfill ${backfill.id} is paused, vm-sync backfill resume ${backfill.id}`;
  }
  return `backfill ${backfill.id} is at work on it`;
}

function withdraw(state: SyncState, events: SyncEvent[]): Step {
  if (state.failbackReady) {
    events.push({ kind: 'ready-withdrawn', reason: state.reasons.join('; ') });
  }
  return { state: { ...state, failbackReady: false }, events };
}

/** READY as `afterCheck` decided it, taken back before anybody was told: `before` is the state before the check. */
export function refuseReady({ state, events }: Step, before: SyncState, reason: string): Step {
  const told = events.filter(({ kind }) => kind !== 'failback-ready');
  const wasReady = { ...state, failbackReady: before.failbackReady, reasons: [reason] };
  return withdraw(wasReady, told);
}

/** Settling is tried again within seconds when it died; so many runs do not settle meanwhile. */
const COUNTED_RUNS_KEPT = 50;

/**
 * What a settled run makes of the state. It moves no mark: only a later check proves. A run that is counted already
 * changes nothing: its settling died between two places that it writes to.
 */
export function afterRun(state: SyncState, run: SettledRun): SyncState {
  if (state.countedRuns.includes(run.id)) return state;
  const key = directionKey(run.direction);
  const repairs = run.windows.map((window) => ({
    direction: key,
    window,
    settledMs: run.atMs,
  }));
  return {
    ...state,
    lastSyncMs: run.atMs,
    samplesSynced: state.samplesSynced + run.samples,
    recentRepairs: [...state.recentRepairs, ...repairs],
    countedRuns: [...state.countedRuns, run.id].slice(-COUNTED_RUNS_KEPT),
    backfills: addToBackfill(state.backfills, run),
    episode: state.episode && {
      ...state.episode,
      samplesRepaired: state.episode.samplesRepaired + (isRepair(run) ? run.samples : 0),
    },
    ...(run.recovery ? afterRecovery(state, run) : {}),
  };
}

/** Neither a backfill nor a recovery: an episode is about what was found missing by itself. */
const isRepair = ({ backfillId, recovery }: SettledRun): boolean =>
  backfillId === null && recovery !== true;

function afterRecovery(
  { surplus, reconcile }: SyncState,
  { direction, windows, samples }: SettledRun,
): Pick<SyncState, 'surplus' | 'reconcile'> {
  const key = directionKey(direction);
  const ofReconcile = reconcile?.direction === key && reconcile.state !== 'done';
  return {
    surplus: { ...surplus, [key]: toBeCounted(surplus[key], windows) },
    reconcile: ofReconcile
      ? { ...reconcile, samplesRecovered: reconcile.samplesRecovered + samples }
      : reconcile,
  };
}

/** True when `site` is proven to hold everything that the other site has, by the last check. */
export function siteIsComplete(state: SyncState, site: Site): boolean {
  if (!state.failbackReady || state.activeSite === 'unknown') return false;
  if (site !== state.activeSite) return true;
  const into = state.marks[directionKey(directionFrom(site === 'primary' ? 'dr' : 'primary'))];
  return into !== null && into.unproven.length === 0;
}

const iso = (atMs: number): string => new Date(atMs).toISOString();
