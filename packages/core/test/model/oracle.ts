import {
  alignDownMs,
  type CheckReport,
  type DirectionKey,
  directionKey,
  directionOf,
  intersect,
  type Mark,
  makeWindow,
  reverse,
  type SyncState,
  subtractWindows,
  type Window,
} from '../../src/index.ts';
import { countsShow, intolerable, type KnownReport, type Ledger, type Look } from './ledger.ts';
import { type Difference, edgeOf, SETTLE_MS, STEP_MS, type World, within } from './world.ts';

/**
 * What must hold of READY and of the marks, by what the world really holds. Written from DESIGN.md's invariants and from
 * what docs/verification.md says that no check sees; nothing here asks the core for a decision.
 */

/** A property that does not hold. */
export class Broken extends Error {
  override name = 'Broken';
}

const HOUR_MS = 3_600_000;

/** The newest instant that is settled by the slowest clock of all. */
const trueHorizon = (world: World): number =>
  alignDownMs(world.nowMs + Math.min(0, world.skewMs) - SETTLE_MS, STEP_MS);

/** What a mark speaks for. */
export const marked = (mark: Mark): Window[] => [
  ...mark.earlier,
  ...(mark.throughMs > mark.sinceMs ? [makeWindow(mark.sinceMs, mark.throughMs)] : []),
];

/** What a mark calls proven. */
export const provenBy = (mark: Mark | null): Window[] =>
  mark === null ? [] : subtractWindows(marked(mark), mark.unproven);

const lastLook = (looks: readonly Look[], key: DirectionKey, atMs: number): Look | undefined =>
  looks.findLast((look) => look.key === key && within(atMs, look.windows));

/**
 * Why a READY is wrong, as a sentence; undefined when it is right. `state` is what the check made of `before`, and the
 * world has stood still since the check began.
 */
export function whyNotReady(
  ledger: Ledger,
  world: World,
  state: SyncState,
  report: CheckReport,
  settings: { readonly threshold: number; readonly both: boolean; readonly cleanChecks: number },
): string | undefined {
  if (report.outcome === 'unknown') return 'a check that found nothing out says READY';
  const { cleanChecks, threshold, both } = settings;
  if (ledger.cleanRun < cleanChecks) {
    return `READY after ${ledger.cleanRun} of ${cleanChecks} clean checks`;
  }
  if (ledger.failedMs !== null && report.horizonMs < ledger.failedMs) {
    return 'READY although the time when a site could not be asked has not settled';
  }
  if (report.horizonMs < trueHorizon(world)) {
    return 'READY of time that ends before what has settled';
  }
  const key = directionKey(report.direction);
  const forward = whyLacking(ledger, world, state, report, key, threshold);
  const back = directionKey(reverse(report.direction));
  return forward ?? (both ? whyLacking(ledger, world, state, report, back, threshold) : undefined);
}

function whyLacking(
  ledger: Ledger,
  world: World,
  state: SyncState,
  report: KnownReport,
  key: DirectionKey,
  threshold: number,
): string | undefined {
  const edgeMs = edgeOf(world, directionOf(key).source);
  const forward = key === directionKey(report.direction);
  const mark = state.marks[key];
  const claimed = mark === null ? [] : marked(mark);
  const beyond = state.beyondRepair.filter((one) => one.direction === key);
  const tooMany = new Set(intolerable(world, key, threshold));
  for (const one of forward ? tooMany : world.lacking(key).values()) {
    // Samples in flight, and what nobody can repair: READY says that there is some.
    if (one.atMs > report.horizonMs || one.atMs <= edgeMs) continue;
    // History before the first check is surveyed only, and counts forward only.
    const inHistory = !within(one.atMs, claimed);
    if (inHistory && !forward) continue;
    const exact = lastLook(ledger.exact, key, one.atMs);
    // While the other site was the source, as much as this was tolerated.
    if (!forward && exact?.forward && !tooMany.has(one)) continue;
    const what = `${key} lacks ${one.series} at ${new Date(one.atMs).toISOString()}`;
    const seen = [key, ...(forward ? [] : [`backward ${key}`])].map((by) =>
      ledger.seen.get(`${by} ${one.series} ${one.atMs}`),
    );
    if (seen.includes(one.sinceMs)) {
      return `${what}, which a check has seen`;
    }
    if (
      within(
        one.atMs,
        beyond.map(({ window }) => window),
      )
    ) {
      return `${what}, which is called beyond repair and is within reach`;
    }
    if (!inHistory && !exact) return `${what}, where nobody has compared`;
    if (!forward) continue;
    const why = whyUnlooked(ledger, world, key, one, inHistory);
    if (why !== undefined) return `${what}, ${why}`;
  }
  return undefined;
}

/** A difference that no look could show is excused for as long as the docs say that it may go unseen, no longer. */
function whyUnlooked(
  ledger: Ledger,
  world: World,
  key: DirectionKey,
  one: Difference,
  inHistory: boolean,
): string | undefined {
  const { destination } = directionOf(key);
  const exactMs = lastLook(ledger.exact, key, one.atMs)?.atMs ?? 0;
  const reopened = world.forgotten[destination].find(
    ({ series, atMs, runId, restartedMs }) =>
      series === one.series &&
      atMs === one.atMs &&
      restartedMs === one.sinceMs &&
      restartedMs >= exactMs &&
      restartedMs +
        world.skewMs -
        (ledger.settled.get(runId)?.clockMs ?? Number.NEGATIVE_INFINITY) <
        HOUR_MS,
  );
  if (reopened) return 'which a restart took from a recent repair: it was not compared again';
  const lookedMs = lastLook(ledger.any, key, one.atMs)?.atMs;
  const { raisedMs } = ledger.edges[key];
  if (raisedMs !== null && world.nowMs - raisedMs < HOUR_MS) return undefined;
  if (lookedMs === undefined) return 'where nobody has looked';
  if (aSurveyShows(ledger, world, key, one, inHistory)) return 'which a survey has seen';
  const restarts = [...world.restarts.primary, ...world.restarts.dr];
  if (restarts.some((atMs) => atMs >= lookedMs)) {
    return 'and that time was not surveyed since a database restarted';
  }
  if (!ledger.surveying && world.nowMs - lookedMs > HOUR_MS + world.setBackMs)
    return 'and nobody has looked for an hour';
  return undefined;
}

/**
 * True when the counts of its day show a difference, and did so when the day was surveyed last: nothing has come to
 * differ there since.
 */
function aSurveyShows(
  { days }: Ledger,
  world: World,
  key: DirectionKey,
  one: Difference,
  inHistory: boolean,
): boolean {
  const last = days.findLast((look) => look.key === key && within(one.atMs, look.windows));
  const piece = last?.windows.find((window) => within(one.atMs, [window]));
  if (!last || !piece) return false;
  const lead = last.leads.get(`${one.series} ${piece.toMs}`) ?? 0;
  if (inHistory ? lead === 0 : lead <= 0) return false;
  const lacking = [...world.lacking(key).values()].filter(
    ({ series, atMs }) => series === one.series && within(atMs, [piece]),
  );
  if (lacking.some(({ sinceMs }) => sinceMs >= last.atMs)) return false;
  return countsShow(world, key, one, piece, inHistory ? 'other' : 'less');
}

/**
 * Why a mark moved over unproven time, as a sentence: what it calls proven now and did not before must lack nothing, be
 * settled, and hold no repair that is under way, or that a kill of its destination might still take back.
 */
export function whyMarkMoved(
  world: World,
  key: DirectionKey,
  moved: { readonly before: Mark | null; readonly after: Mark | null },
  of: {
    readonly threshold: number;
    readonly repairing: readonly Window[];
    readonly recent: readonly Window[];
  },
): string | undefined {
  const fresh = subtractWindows(provenBy(moved.after), provenBy(moved.before));
  if (fresh.length === 0) return undefined;
  const lost = intolerable(world, key, of.threshold).find(({ atMs }) => within(atMs, fresh));
  if (lost) {
    return `the mark ${key} moved over ${lost.series} at ${new Date(lost.atMs).toISOString()}, which is missing`;
  }
  const newest = fresh.at(-1)?.toMs ?? 0;
  if (newest > trueHorizon(world)) return `the mark ${key} moved over time that has not settled`;
  const touches = (windows: readonly Window[]) =>
    fresh.some((window) => windows.some((other) => intersect(window, other)));
  if (touches(of.repairing)) return `the mark ${key} moved over a run that has not settled`;
  if (touches(of.recent)) return `the mark ${key} moved over a repair of the last 15 s`;
  return undefined;
}

/** Windows of repairs that a restart, which a check has just noticed, may have taken back. */
export function shakenBy(
  ledger: Ledger,
  key: DirectionKey,
  { startedMs, restartedMs }: { readonly startedMs: number; readonly restartedMs: number },
): Window[] {
  return (
    [...ledger.settled.values()]
      // What was there before it started the last time has survived that.
      .filter((run) => run.key === key && run.atMs > startedMs && run.atMs <= restartedMs)
      .filter(({ atMs, clockMs }) => restartedMs - atMs < HOUR_MS && clockMs >= atMs - HOUR_MS)
      .flatMap(({ windows }) => windows)
  );
}
