import { siteNowMs } from './clock.ts';
import type { SyncEvent } from './event.ts';
import { type History, withDiffering, withoutProven } from './history.ts';
import { giveUpBefore, type Mark, reopen } from './mark.ts';
import type { SiteObservation } from './report.ts';
import { type Direction, type DirectionKey, directionKey } from './site.ts';
import {
  alignUpMs,
  makeWindow,
  mergeWindows,
  subtractWindows,
  type Window,
  windowOrNothing,
} from './window.ts';

/** What keeps a repair from reaching time of that age. */
export type BeyondReason =
  | 'destination-retention'
  | 'source-retention'
  | 'destination-backfill-age';

/** Time that was not proven (or known to differ) when it became too old for any repair. It never blocks READY. */
export interface BeyondRepair {
  readonly direction: DirectionKey;
  readonly window: Window;
  readonly reason: BeyondReason;
  /** When the first of it became too old. */
  readonly sinceMs: number;
  /** How many samples the destination lacks there at the least; null where nobody counted. */
  readonly samplesMissing: number | null;
}

/** No repair reaches what is older than `beforeMs`; 0 where a site says that it sets no such limit. */
export interface RepairEdge {
  readonly reason: BeyondReason;
  readonly beforeMs: number;
}

const DAY_MS = 86_400_000;

/**
 * A day's distance to the end of a retention, or half of a shorter one: beyond it each site keeps a different tail for
 * up to a month, and drops what is imported there (measured).
 */
const retentionMarginMs = (retentionMs: number): number => Math.min(DAY_MS, retentionMs / 2);

/** Samples grow older between the plan and the import; `-maxBackfillAge` cuts to the row, so a tenth is enough. */
const backfillMarginMs = (maxAgeMs: number): number => Math.min(DAY_MS, maxAgeMs / 10);

/** The limits that are known in a direction, the ones that nothing but a larger database lifts first. */
export function repairEdges(
  nowMs: number,
  { source, destination }: Direction,
  observations: readonly SiteObservation[],
): RepairEdge[] {
  const of = (site: Direction['source']) => observations.find((one) => one.site === site);
  const edges: RepairEdge[] = [];
  const add = (reason: BeyondReason, site: Direction['source'], ageMs: number) => {
    const siteMs = siteNowMs(nowMs, of(site) ?? {});
    edges.push({ reason, beforeMs: Math.max(0, Math.ceil(siteMs - ageMs)) });
  };
  const keptMs = of(destination)?.retentionMs;
  if (keptMs !== undefined) {
    add('destination-retention', destination, keptMs - retentionMarginMs(keptMs));
  }
  const sourceKeptMs = of(source)?.retentionMs;
  if (sourceKeptMs !== undefined) {
    add('source-retention', source, sourceKeptMs - retentionMarginMs(sourceKeptMs));
  }
  const acceptedMs = of(destination)?.maxBackfillAgeMs;
  if (acceptedMs !== undefined) {
    add('destination-backfill-age', destination, acceptedMs - backfillMarginMs(acceptedMs));
  } else if (keptMs !== undefined) {
    // The page that names the retention was read, and names no such limit.
    edges.push({ reason: 'destination-backfill-age', beforeMs: 0 });
  }
  return edges;
}

/** The oldest instant that a repair in this direction reaches: there both sites keep, and the destination accepts. */
export const repairEdgeMs = (
  nowMs: number,
  direction: Direction,
  observations: readonly SiteObservation[],
): number => nearest(repairEdges(nowMs, direction, observations));

const nearest = (edges: readonly RepairEdge[]): number =>
  Math.max(0, ...edges.map(({ beforeMs }) => beforeMs));

/** What one direction's checks are about to begin with. */
export interface Ageing {
  readonly mark: Mark;
  readonly history: History;
  /** Of both directions. */
  readonly beyondRepair: readonly BeyondRepair[];
}

/**
 * Brings one direction up to date with the ages that its sites keep and accept: what was open (not proven, or known to
 * differ) and has become too old is taken out of the mark and kept as beyond repair; what is young enough again, since
 * a limit was raised, is open again. Proven time ages out without a word. Edges are moved up to the grid, because what
 * is left of a bucket that an edge cuts could never be compared; `edgeMs` is the one that counts.
 * `missingIn` says how many samples are known to be missing in a window.
 */
export function ageOut(
  before: Ageing,
  now: {
    readonly nowMs: number;
    readonly direction: Direction;
    readonly observations: readonly SiteObservation[];
    readonly stepMs: number;
    readonly missingIn: (window: Window) => number | null;
  },
): Ageing & { readonly edgeMs: number; readonly events: readonly SyncEvent[] } {
  const { nowMs, direction, observations, missingIn } = now;
  const edges = repairEdges(nowMs, direction, observations).map(({ reason, beforeMs }) => ({
    reason,
    beforeMs: alignUpMs(beforeMs, now.stepMs),
  }));
  const key = directionKey(direction);
  const edgeMs = nearest(edges);
  const back = comeBack(before, key, edges);
  const open = mergeWindows([...back.mark.unproven, ...back.history.differing]);
  const follows = open.find(({ fromMs, toMs }) => fromMs < edgeMs && edgeMs < toMs);
  let known = back.beyondRepair.filter((one) => one.direction === key);
  const events: SyncEvent[] = [];
  let reachedMs = 0;
  for (const { reason, beforeMs } of edges) {
    const lost = cut(cut(open, beforeMs).older, reachedMs).younger;
    reachedMs = Math.max(reachedMs, beforeMs);
    const fresh = subtractWindows(lost, known.map(windowOf));
    const same = known.filter((one) => one.reason === reason);
    const windows = fresh.filter((window) => !same.some((one) => touch(one.window, window)));
    if (windows.length > 0) {
      const followsToMs = follows?.toMs ?? null;
      events.push({ kind: 'beyond-repair', direction, reason, windows, followsToMs });
    }
    const others = known.filter((one) => one.reason !== reason);
    known = [...others, ...joined(same, { direction: key, reason, fresh, nowMs, missingIn })];
  }
  return {
    mark: giveUpBefore(back.mark, edgeMs),
    history: withoutProven(back.history, listed(windowOrNothing(0, edgeMs))),
    beyondRepair: [
      ...back.beyondRepair.filter((one) => one.direction !== key),
      ...stillThere(known, nowMs, observations),
    ],
    edgeMs,
    events,
  };
}

const windowOf = ({ window }: BeyondRepair): Window => window;

const touch = (a: Window, b: Window): boolean => a.fromMs <= b.toMs && b.fromMs <= a.toMs;

/** What lies before an instant, and what lies after it. */
const cut = (windows: readonly Window[], atMs: number): { older: Window[]; younger: Window[] } => ({
  older: subtractWindows(windows, [makeWindow(atMs, Number.MAX_SAFE_INTEGER)]),
  younger: subtractWindows(windows, listed(windowOrNothing(0, atMs))),
});

/**
 * What a repair reaches again is open again. Only a limit that is known now can have been raised: a site that does not
 * say anything for once changes nothing.
 */
function comeBack(
  { mark, history, beyondRepair }: Ageing,
  key: DirectionKey,
  edges: readonly RepairEdge[],
): Ageing {
  const edgeMs = nearest(edges);
  const reached: Window[] = [];
  const kept = beyondRepair.flatMap((one) => {
    if (one.direction !== key || !edges.some(({ reason }) => reason === one.reason)) return [one];
    const { older, younger } = cut([one.window], edgeMs);
    reached.push(...younger);
    return older.map((window) => ({ ...one, window }));
  });
  const { older, younger } = cut(mergeWindows(reached), mark.sinceMs);
  return {
    mark: reopen(mark, younger),
    // Older than the first check: told, but not repaired unasked.
    history: withDiffering(history, older),
    beyondRepair: kept,
  };
}

/** With fresh windows of the same reason; windows that touch are one, known since the earliest of them. */
function joined(
  known: readonly BeyondRepair[],
  more: Pick<BeyondRepair, 'direction' | 'reason'> & {
    readonly fresh: readonly Window[];
    readonly nowMs: number;
    readonly missingIn: (window: Window) => number | null;
  },
): BeyondRepair[] {
  const { direction, reason, fresh, nowMs, missingIn } = more;
  if (fresh.length === 0) return [...known];
  return mergeWindows([...known.map(windowOf), ...fresh]).map((window) => {
    const parts = known.filter((one) => touch(one.window, window));
    const counts = [missingIn(window), sumOrNull(parts.map((one) => one.samplesMissing))];
    const counted = counts.filter((count) => count !== null);
    return {
      direction,
      window,
      reason,
      sinceMs: Math.min(nowMs, ...parts.map((one) => one.sinceMs)),
      samplesMissing: counted.length === 0 ? null : Math.max(...counted),
    };
  });
}

function sumOrNull(counts: readonly (number | null)[]): number | null {
  const known = counts.filter((count) => count !== null);
  return known.length === 0 ? null : known.reduce((sum, count) => sum + count, 0);
}

/** Databases delete by months: so long after the end of a retention nothing of it is left on either site. */
const LAST_TAIL_MS = 31 * DAY_MS;

/** Keeps the state small where scattered losses age out. */
const MOST_PER_DIRECTION = 200;

/** Without what neither site can hold any more, and no more than the newest ones; oldest first. */
function stillThere(
  known: readonly BeyondRepair[],
  nowMs: number,
  observations: readonly SiteObservation[],
): BeyondRepair[] {
  const kept = observations.map(({ retentionMs }) => retentionMs ?? Number.POSITIVE_INFINITY);
  const longestMs = kept.length < 2 ? Number.POSITIVE_INFINITY : Math.max(...kept);
  return known
    .filter(({ window }) => window.toMs >= nowMs - longestMs - LAST_TAIL_MS)
    .sort((a, b) => a.window.fromMs - b.window.fromMs)
    .slice(-MOST_PER_DIRECTION);
}

const listed = <T>(one: T | undefined): T[] => (one === undefined ? [] : [one]);

/** Why time of that age is out of reach, for people. */
export function beyondReasonText(reason: BeyondReason, { source, destination }: Direction): string {
  switch (reason) {
    case 'destination-retention':
      return `older than ${destination} keeps (-retentionPeriod)`;
    case 'source-retention':
      return `older than ${source} keeps (-retentionPeriod)`;
    case 'destination-backfill-age':
      return `older than ${destination} accepts (-maxBackfillAge)`;
  }
}
