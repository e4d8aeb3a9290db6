import {
  advance,
  alignDownMs,
  type Direction,
  type DirectionKey,
  directionKey,
  type FoundWindows,
  type History,
  intersect,
  type Mark,
  makeWindow,
  mergeWindows,
  openOf,
  repairEdgeMs,
  reverse,
  SITES,
  type Site,
  type SyncState,
  subtractWindows,
  type Window,
  withDiffering,
} from '../../src/index.ts';
import {
  backwardOf,
  type Compared,
  compareAll,
  countsOf,
  forwardOf,
  type Measured,
} from './compare.ts';
import type { CheckQuestion, ModelPlan } from './eyes.ts';
import { BEGIN_MS, bucketEnd, DAY_MS, SERIES, STEP_MS } from './world.ts';

/** Parts of the small check: the look backwards, and the survey. */

export function lookBackwards(
  { world, settings, trouble, setAsideRecoveries }: CheckQuestion,
  at: {
    readonly state: SyncState;
    readonly found: Compared;
    readonly direction: Direction;
    readonly horizonMs: number;
  },
  plan: (found: Compared, of: Omit<ModelPlan, 'chunks'>, covers: () => boolean) => void,
) {
  const { state, found, horizonMs } = at;
  const back = reverse(at.direction);
  const backKey = directionKey(back);
  const openAfter = (key: DirectionKey, seen: FoundWindows) =>
    advance(state.marks[key] as Mark, horizonMs, seen).unproven;
  const forward = forwardOf(found);
  const unsettled = subtractWindows(
    openAfter(directionKey(at.direction), forward),
    forward.damaged,
  );
  const edgeMs = repairEdgeMs(
    world.clockMs,
    back,
    SITES.map((site) => world.observe(site)),
  );
  const all = onGrid(settledOf(openAfter(backKey, backwardOf(found)), horizonMs), edgeMs);
  const { reconcile } = state;
  const asked = reconcile?.state === 'open' && reconcile.direction === backKey;
  const setAside = setAsideRecoveries(back, settings.both || asked);
  const open =
    trouble === 'no time' ? [] : subtractWindows(all, [...unsettled, ...setAside.inHand]);
  const wanted = settings.both ? open : asked ? openOf(reconcile, open) : [];
  const measured = { world, direction: back, threshold: 1, byRows: true, series: SERIES };
  const compared = compareAll(measured, open, 'exact');
  const recovered = compareAll(measured, onGrid(wanted, edgeMs), 'exact');
  plan(recovered, { direction: back, backfillId: null, recovery: true }, () => false);
  const windows = mergeWindows(compared.damaged);
  const counted = { windows, series: 1, samples: compared.tallied.missing, countedMs: 0 };
  return {
    found: {
      wanted: settings.both,
      compared: compared.exact,
      counted: windows.length > 0 ? [counted] : [],
      setAside: setAside.reasons,
      failed: null,
    },
    proven: subtractWindows(forwardOf(compared).proven, setAside.repairing),
    repairing: setAside.repairing,
  };
}

/** Counts per series and day, newest first, in so many pieces. */
export function survey(
  { world, direction }: Measured,
  from: {
    readonly history: History;
    readonly mark: Mark;
    readonly edgeMs: number;
    readonly pieces: number;
  },
): { history: History; suspect: Window[] } {
  let { history: at } = from;
  const suspect: Window[] = [];
  for (let piece = 0; piece < from.pieces && !at.passDone; piece++) {
    const toMs = at.surveyedFromMs;
    const newer = toMs > from.mark.sinceMs;
    const leastMs = newer ? Math.max(from.edgeMs, from.mark.sinceMs) : from.edgeMs;
    const fromMs = Math.max(leastMs, alignDownMs(toMs - 1, DAY_MS));
    // Nothing is as old as that.
    if (fromMs >= toMs || toMs < BEGIN_MS - 2 * DAY_MS) {
      at = { ...at, passDone: true, complete: true };
      break;
    }
    const window = makeWindow(fromMs, toMs);
    const leads = SERIES.map((series) => {
      const count = (site: Site) =>
        countsOf(world.samplesIn(site, series, window), window, toMs - fromMs)[0] as number;
      return count(direction.source) - count(direction.destination);
    });
    const lacks = leads.some((lead) => lead > 0) ? [window] : [];
    const has = leads.some((lead) => lead < 0) ? [window] : [];
    if (newer) suspect.push(...lacks);
    else at = withDiffering(at, [...lacks, ...subtractWindows(has, from.mark.earlier)]);
    at = { ...at, surveyedFromMs: fromMs };
  }
  return { history: at, suspect: mergeWindows(suspect) };
}

export const settledOf = (windows: readonly Window[], horizonMs: number): Window[] =>
  subtractWindows(windows, [makeWindow(horizonMs, Number.MAX_SAFE_INTEGER)]);

export function onGrid(windows: readonly Window[], edgeMs: number): Window[] {
  const kept = makeWindow(bucketEnd(edgeMs), Number.MAX_SAFE_INTEGER);
  const widened = windows.map(({ fromMs, toMs }) =>
    makeWindow(alignDownMs(fromMs, STEP_MS), bucketEnd(toMs)),
  );
  return mergeWindows(widened).flatMap((window) => intersect(window, kept) ?? []);
}
