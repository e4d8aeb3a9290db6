import type { SyncEvent } from './event.ts';
import type { Mark } from './mark.ts';
import type { Reconcile } from './reconcile.ts';
import {
  type Direction,
  type DirectionKey,
  directionFrom,
  directionKey,
  reverse,
  type Site,
} from './site.ts';
import { intersect, mergeWindows, subtractWindows, type Window } from './window.ts';
import { formatCount } from './wording.ts';

/** What one slice of time showed of samples that only the passive site has. */
export interface CountedSurplus {
  /** The buckets that hold some, oldest first. */
  readonly windows: readonly Window[];
  readonly series: number;
  readonly samples: number;
  /** 0 when a recovery has copied from there since: it is counted again. */
  readonly countedMs: number;
}

/** The surplus of one direction: what its source has and its destination, the active site, lacks. */
export interface Surplus {
  readonly counted: readonly CountedSurplus[];
  /** True from when people are told of it until nothing is open any more. */
  readonly told: boolean;
}

export const NO_SURPLUS: Surplus = { counted: [], told: false };

/** What a check found out of a surplus. */
export interface SurplusFound {
  /** True where SYNC_DIRECTION=both: READY waits until nothing is open. */
  readonly wanted: boolean;
  /** The windows that were compared, with or without anything in them. */
  readonly compared: readonly Window[];
  readonly counted: readonly CountedSurplus[];
  /** Sentences about recoveries that failed. */
  readonly setAside: readonly string[];
  /** Why not all could be looked at, as a sentence; null when nothing failed. */
  readonly failed: string | null;
}

/** All of a surplus, as people are shown it. */
export interface SurplusTotal {
  readonly samples: number;
  /** The most series that have some at the same time. */
  readonly series: number;
  readonly windows: readonly Window[];
  /** True when there is open time that nobody has counted yet. */
  readonly atLeast: boolean;
}

/** Counted surplus of which every window is open still; what has been proven in part is counted anew. */
export const stillOpen = (surplus: Surplus, open: readonly Window[]): Surplus => ({
  ...surplus,
  counted: surplus.counted.filter(({ windows }) => subtractWindows(windows, open).length === 0),
});

/** With what a check counted in the place of what was counted there before. */
export function countedAgain(
  surplus: Surplus,
  { compared, counted }: Pick<SurplusFound, 'compared' | 'counted'>,
): Surplus {
  const before = surplus.counted.filter(({ windows }) => !touchesAny(windows, compared));
  const all = [...before, ...counted].sort((a, b) => endOf(a) - endOf(b));
  return { ...surplus, counted: all };
}

const endOf = ({ windows }: CountedSurplus): number => windows.at(-1)?.toMs ?? 0;

const touchesAny = (windows: readonly Window[], others: readonly Window[]): boolean =>
  windows.some((window) => others.some((other) => intersect(window, other) !== undefined));

/** To be called when a recovery has settled: what it copied is counted again by the next check. */
export const toBeCounted = (surplus: Surplus, recovered: readonly Window[]): Surplus => ({
  ...surplus,
  counted: surplus.counted.map((one) =>
    touchesAny(one.windows, recovered) ? { ...one, countedMs: 0 } : one,
  ),
});

export function totalSurplus({ counted }: Surplus, open: readonly Window[]): SurplusTotal {
  const windows = mergeWindows(counted.flatMap((one) => one.windows));
  return {
    samples: counted.reduce((sum, one) => sum + one.samples, 0),
    series: counted.reduce((most, one) => Math.max(most, one.series), 0),
    windows,
    atLeast: subtractWindows(open, windows).length > 0,
  };
}

/** What of the remembered state a surplus is shown by. */
interface Remembered {
  readonly activeSite: Site | 'unknown';
  readonly marks: Readonly<Record<DirectionKey, Mark | null>>;
  readonly surplus: Readonly<Record<DirectionKey, Surplus>>;
}

/** What the passive site has and the active one lacks, by the last check; undefined while it is not known or nothing. */
export function shownSurplus(
  state: Remembered,
): (SurplusTotal & { readonly direction: Direction }) | undefined {
  if (state.activeSite === 'unknown') return undefined;
  const direction = reverse(directionFrom(state.activeSite));
  const key = directionKey(direction);
  const total = totalSurplus(state.surplus[key], state.marks[key]?.unproven ?? []);
  return total.samples > 0 ? { ...total, direction } : undefined;
}

/** What becomes of a surplus, in the words of `surplusText`. */
const RECONCILE = 'vm-sync reconcile';
const BEING_RECOVERED = 'being recovered';

/** The one wording of a surplus. */
export function surplusText(
  { samples, atLeast }: Pick<SurplusTotal, 'samples' | 'atLeast'>,
  isRecovering: boolean,
): string {
  const least = atLeast ? 'at least ' : '';
  const remedy = isRecovering ? BEING_RECOVERED : RECONCILE;
  return `the passive site has ${least}${formatCount(samples)} sample${samples === 1 ? '' : 's'} that the active one lacks (${remedy})`;
}

/** True when what only the passive site has is copied without a further word. */
export const recoversNow = (
  state: Pick<Remembered, 'activeSite'> & { readonly reconcile: Reconcile | null },
  isBoth: boolean,
): boolean =>
  isBoth ||
  (state.activeSite !== 'unknown' &&
    state.reconcile?.state === 'open' &&
    state.reconcile.direction === directionKey(reverse(directionFrom(state.activeSite))));

/** The sentence of a state's surplus; undefined where there is none. */
export function surplusSentence(
  state: Remembered & { readonly reconcile: Reconcile | null },
  isBoth: boolean,
): string | undefined {
  const shown = shownSurplus(state);
  return shown && surplusText(shown, recoversNow(state, isBoth));
}

/**
 * What a check makes of the surplus of both directions. It is told once: when there is some for the first time, and when
 * nothing is open any more.
 */
export function surplusAfter(
  before: Readonly<Record<DirectionKey, Surplus>>,
  of: {
    readonly direction: Direction;
    readonly found: SurplusFound | undefined;
    readonly marks: Readonly<Record<DirectionKey, Mark | null>>;
    /** True when something is being recovered without a further word. */
    readonly recovering: boolean;
  },
  events: SyncEvent[],
): Readonly<Record<DirectionKey, Surplus>> {
  const openOf = (key: DirectionKey) => of.marks[key]?.unproven ?? [];
  const kept = {
    'primary-to-dr': stillOpen(before['primary-to-dr'], openOf('primary-to-dr')),
    'dr-to-primary': stillOpen(before['dr-to-primary'], openOf('dr-to-primary')),
  };
  const key = directionKey(of.direction);
  const counted = of.found ? countedAgain(kept[key], of.found) : kept[key];
  const open = openOf(key);
  const total = totalSurplus(counted, open);
  const { direction, recovering } = of;
  if (total.samples > 0 && !counted.told) {
    const { samples, series, atLeast } = total;
    events.push({ kind: 'surplus-found', direction, samples, series, atLeast, recovering });
  }
  if (counted.told && open.length === 0) events.push({ kind: 'surplus-gone', direction });
  const told = open.length > 0 && (counted.told || total.samples > 0);
  return { ...kept, [key]: { ...counted, told } };
}
