import {
  alignDownMs,
  type CheckReport,
  type DirectionKey,
  directionKey,
  directionOf,
  type Mark,
  makeWindow,
  mergeWindows,
  reverse,
  type SyncState,
  subtractWindows,
  type Window,
} from '../../src/index.ts';
import {
  bucketEnd,
  bucketOf,
  DAY_MS,
  type Difference,
  edgeOf,
  QUERY_WINDOW_MS,
  SERIES,
  type Series,
  STEP_MS,
  type World,
  within,
} from './world.ts';

export type KnownReport = Exclude<CheckReport, { outcome: 'unknown' }>;

/** What was found out so far, written down check by check: what READY may rest on, and what it must not overlook. */

/** A look at windows: sample by sample, by counts per bucket (the look-back), or by counts per day (a survey). */
export interface Look {
  readonly key: DirectionKey;
  readonly windows: readonly Window[];
  readonly atMs: number;
  /** True when its direction was that of the repairs, for which GAP_THRESHOLD counts. */
  readonly forward: boolean;
}

/** A run that settled. */
export interface Settled {
  readonly key: DirectionKey;
  readonly windows: readonly Window[];
  /** By vm-sync's clock, and truly. */
  readonly clockMs: number;
  readonly atMs: number;
}

/** A look by days, with how many more samples of each series the source had in each piece. */
interface Survey extends Look {
  readonly leads: ReadonlyMap<string, number>;
}

/** What was found out so far, as far as the remembered state can know of it: it is kept, lost and restored with that. */
export interface Ledger {
  readonly exact: readonly Look[];
  readonly any: readonly Look[];
  /** Surveys, by the pieces of time that they count. */
  readonly days: readonly Survey[];
  /** True while a pass of the survey is under way, or has ended just now. */
  readonly surveying: boolean;
  /**
   * Differences that a look must have shown, by direction and sample, with the time since when they are one; backward
   * they are shown to the sample, whatever GAP_THRESHOLD tolerates.
   */
  readonly seen: ReadonlyMap<string, number>;
  /** Checks in a row, in one direction, that found everything out and nothing missing. */
  readonly cleanRun: number;
  readonly cleanKey: DirectionKey | null;
  /** When a site last could not be asked. */
  readonly failedMs: number | null;
  /** The direction of the gaps that people were told of, until they were told of their end. */
  readonly told: DirectionKey | null;
  readonly settled: ReadonlyMap<string, Settled>;
  /** The edge of what a repair reaches, by direction; and since when it is as low as that, where it was raised before. */
  readonly edges: Readonly<Record<DirectionKey, { edgeMs: number; raisedMs: number | null }>>;
}

const NO_EDGE = { edgeMs: 0, raisedMs: null };

export const EMPTY_LEDGER: Ledger = {
  exact: [],
  any: [],
  days: [],
  surveying: false,
  seen: new Map(),
  cleanRun: 0,
  cleanKey: null,
  failedMs: null,
  told: null,
  settled: new Map(),
  edges: { 'primary-to-dr': NO_EDGE, 'dr-to-primary': NO_EDGE },
};

/** What a bucket of a series has on both sides. */
export function countsAt(world: World, key: DirectionKey, series: Series, window: Window) {
  const { source, destination } = directionOf(key);
  return {
    there: world.samplesIn(source, series, window).length,
    here: world.samplesIn(destination, series, window).length,
  };
}

/** Differences of a direction, without those that GAP_THRESHOLD tolerates. */
export function intolerable(world: World, key: DirectionKey, threshold: number): Difference[] {
  const all = [...world.lacking(key).values()];
  if (threshold === 1) return all;
  const bySeriesAndBucket = Map.groupBy(all, ({ series, atMs }) => `${series} ${bucketEnd(atMs)}`);
  return [...bySeriesAndBucket.values()].flatMap((missing) => {
    const { series, atMs } = missing[0] as Difference;
    const { there } = countsAt(world, key, series, bucketOf(atMs));
    return there - missing.length < threshold * there ? missing : [];
  });
}

/** What a known check has looked at, how. */
function looksOf(before: SyncState, report: KnownReport) {
  const key = directionKey(report.direction);
  const { horizonMs } = report;
  const backfills = report.backfills.filter(({ id }) => {
    const one = before.backfills.find((backfill) => backfill.id === id);
    return one?.match.length === 0;
  });
  const exact = mergeWindows([
    ...report.forward.proven,
    ...report.forward.damaged,
    ...backfills.flatMap(({ found }) => [...found.proven, ...found.damaged]),
  ]);
  const from = before.history[key]?.surveyedFromMs ?? 0;
  const to = report.history.surveyedFromMs;
  const surveyed = to < from ? [makeWindow(to, from)] : [];
  const mark = before.marks[key] as Mark;
  const backMs = Math.max(mark.sinceMs, alignDownMs(horizonMs - QUERY_WINDOW_MS, STEP_MS));
  // What is due is no part of the look-back, and may not have been reached.
  const due = [...mark.unproven, makeWindow(mark.throughMs, Number.MAX_SAFE_INTEGER)];
  return {
    key,
    exact,
    lookBack: backMs < horizonMs ? subtractWindows([makeWindow(backMs, horizonMs)], due) : [],
    surveyed,
    backward: mergeWindows([...report.backward.proven, ...report.backward.damaged]),
  };
}

/** Adds a check to the ledger. `before` is the state as the check began to compare. */
export function noteCheck(
  ledger: Ledger,
  world: World,
  before: SyncState,
  report: CheckReport,
  threshold: number,
): Ledger {
  const atMs = world.nowMs;
  if (report.outcome === 'unknown') {
    return { ...ledger, cleanRun: 0, cleanKey: null };
  }
  const { key, exact, lookBack, surveyed, backward } = looksOf(before, report);
  const back = directionKey(reverse(report.direction));
  const seen = new Map(ledger.seen);
  const sinceMs = before.marks[key]?.sinceMs ?? 0;
  // What was tolerated when it was looked at may be more than that later.
  for (const one of intolerable(world, key, threshold)) {
    if (
      within(one.atMs, exact) ||
      (within(one.atMs, lookBack) && countsShow(world, key, one, bucketOf(one.atMs)))
    ) {
      seen.set(`${key} ${one.series} ${one.atMs}`, one.sinceMs);
    }
  }
  for (const one of world.lacking(back).values()) {
    if (
      within(one.atMs, backward) ||
      (within(one.atMs, lookBack) && countsShow(world, back, one, bucketOf(one.atMs)))
    ) {
      seen.set(`backward ${back} ${one.series} ${one.atMs}`, one.sinceMs);
    }
  }
  const clean = report.outcome === 'clean' && report.tallied.gaps === 0;
  const sameWay = ledger.cleanKey === null || ledger.cleanKey === key;
  return {
    ...ledger,
    exact: [
      ...ledger.exact,
      { key, windows: exact, atMs, forward: true },
      { key: back, windows: backward, atMs, forward: false },
    ],
    any: [
      ...ledger.any,
      { key, windows: [...exact, ...lookBack, ...surveyed], atMs, forward: true },
      // Equal counts are equal either way.
      { key: back, windows: [...backward, ...lookBack], atMs, forward: false },
    ],
    days: [...ledger.days, surveyOf(world, key, piecesOf(surveyed, sinceMs))],
    surveying: before.history[key]?.passDone !== true,
    seen,
    cleanRun: clean ? (sameWay ? ledger.cleanRun : 0) + 1 : 0,
    cleanKey: key,
    edges: {
      'primary-to-dr': edgeNow(ledger, world, 'primary-to-dr'),
      'dr-to-primary': edgeNow(ledger, world, 'dr-to-primary'),
    },
  };
}

function surveyOf(world: World, key: DirectionKey, windows: readonly Window[]): Survey {
  const leads = new Map<string, number>();
  for (const piece of windows) {
    for (const series of SERIES) {
      const { there, here } = countsAt(world, key, series, piece);
      leads.set(`${series} ${piece.toMs}`, there - here);
    }
  }
  return { key, windows, atMs: world.nowMs, forward: true, leads };
}

function edgeNow(ledger: Ledger, world: World, key: DirectionKey): Ledger['edges'][DirectionKey] {
  const before = ledger.edges[key];
  const edgeMs = edgeOf(world, directionOf(key).source);
  return { edgeMs, raisedMs: edgeMs < before.edgeMs ? world.nowMs : before.raisedMs };
}

/** Surveys count by days of the calendar, on either side of the mark's beginning. */
function piecesOf(surveyed: readonly Window[], sinceMs: number): Window[] {
  return surveyed.flatMap((window) => {
    const pieces: Window[] = [];
    let { toMs } = window;
    // The world holds nothing that is older than some days.
    while (toMs > window.fromMs && window.toMs - toMs < 10 * DAY_MS) {
      const least = toMs > sinceMs ? Math.max(window.fromMs, sinceMs) : window.fromMs;
      const fromMs = Math.max(least, alignDownMs(toMs - 1, DAY_MS));
      pieces.push(makeWindow(fromMs, toMs));
      toMs = fromMs;
    }
    return pieces;
  });
}

export function countsShow(
  world: World,
  key: DirectionKey,
  { series }: Difference,
  window: Window,
  what: 'less' | 'other' = 'other',
): boolean {
  const { there, here } = countsAt(world, key, series, window);
  return what === 'less' ? here < there : here !== there;
}
