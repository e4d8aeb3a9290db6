import { VmSyncError } from './errors.ts';
import type { SyncEvent } from './event.ts';
import type { FoundWindows } from './report.ts';
import { type DirectionKey, directionFrom, directionKey, type Site } from './site.ts';
import {
  intersect,
  mergeWindows,
  subtractWindows,
  type Window,
  windowOrNothing,
} from './window.ts';

/** A range of time that an operator named, to be proven and repaired beside everything that is due anyway. */
export interface Backfill {
  readonly id: string;
  readonly direction: DirectionKey;
  readonly window: Window;
  /** Selector texts that narrow it; empty for everything that SYNC_MATCH selects. */
  readonly match: readonly string[];
  readonly requestedMs: number;
  /** Absent where an older version did not ask. */
  readonly who?: string | undefined;
  readonly state: 'open' | 'paused' | 'cancelled' | 'done';
  /** What no comparison has proven yet, oldest first. */
  readonly unproven: readonly Window[];
  /** Samples and bytes that its settled runs copied. */
  readonly samplesRepaired: number;
  readonly bytesCopied: number;
  readonly endedMs: number | null;
}

/** A part of the remembered state; a step of it leaves all else as it is. */
interface Remembered {
  readonly activeSite: Site | 'unknown';
  readonly backfills: readonly Backfill[];
}

interface Changed<S> {
  readonly state: S;
  readonly events: readonly SyncEvent[];
}

/** More at once would be a mistake in a script rather than anybody's wish; the state file stays small. */
const UNFINISHED_MOST = 20;

/** So many ended ones are kept, to be looked at. */
const ENDED_KEPT = 20;

export const isUnfinished = ({ state }: Backfill): boolean =>
  state === 'open' || state === 'paused';

/**
 * Why no backfill can be started now, as a sentence; undefined when one can. Asked at the door, so that nothing is put
 * into a queue for nothing, and again when it begins.
 */
export function whyNoBackfill(
  { activeSite, backfills }: Remembered,
  asked: Pick<Backfill, 'window' | 'match'>,
): string | undefined {
  if (activeSite === 'unknown') {
    return 'no direction is known yet, so nothing can be backfilled: vm-sync status says why';
  }
  const unfinished = backfills.filter(isUnfinished);
  const key = directionKey(directionFrom(activeSite));
  const same = unfinished.find((one) => one.direction === key && isSameRange(one, asked));
  if (same) return `backfill ${same.id} of the same range is ${same.state} already`;
  if (unfinished.length < UNFINISHED_MOST) return undefined;
  return `${unfinished.length} backfills are unfinished: let them end, or cancel some (vm-sync backfill list)`;
}

const isSameRange = (one: Pick<Backfill, 'window' | 'match'>, asked: typeof one): boolean =>
  one.window.fromMs === asked.window.fromMs &&
  one.window.toMs === asked.window.toMs &&
  one.match.join(' ') === asked.match.join(' ');

/**
 * Begins a backfill in the direction of the active site. One whose id is known is left as it is: its job ran before.
 * Throws a final `VmSyncError` where `whyNoBackfill` says a sentence.
 */
export function startBackfill<S extends Remembered>(
  state: S,
  asked: Pick<Backfill, 'id' | 'window' | 'match' | 'requestedMs' | 'who'>,
): Changed<S> {
  if (state.backfills.some(({ id }) => id === asked.id)) return { state, events: [] };
  const refusal = whyNoBackfill(state, asked);
  if (refusal !== undefined || state.activeSite === 'unknown') {
    throw new VmSyncError('final', refusal ?? '');
  }
  const backfill: Backfill = {
    ...asked,
    direction: directionKey(directionFrom(state.activeSite)),
    state: 'open',
    unproven: [asked.window],
    samplesRepaired: 0,
    bytesCopied: 0,
    endedMs: null,
  };
  const backfills = kept([...state.backfills, backfill]);
  return { state: { ...state, backfills }, events: [told('backfill-started', backfill)] };
}

export type BackfillChange = 'pause' | 'resume' | 'cancel';

const CHANGES = {
  pause: { to: 'paused', event: 'backfill-paused' },
  resume: { to: 'open', event: 'backfill-resumed' },
  cancel: { to: 'cancelled', event: 'backfill-cancelled' },
} as const;

/**
 * Pauses, resumes or cancels a backfill; unchanged where it is so already. Throws a final `VmSyncError` when there is
 * none of this id, or when it has ended.
 */
export function changeBackfill<S extends Remembered>(
  state: S,
  id: string,
  change: BackfillChange,
  atMs: number,
): Changed<S> {
  const backfill = state.backfills.find((one) => one.id === id);
  const { to, event } = CHANGES[change];
  const refusal = whyUnchangeable(backfill, id, change);
  if (refusal !== undefined || !backfill) throw new VmSyncError('final', refusal ?? '');
  if (backfill.state === to) return { state, events: [] };
  const changed: Backfill = { ...backfill, state: to, endedMs: change === 'cancel' ? atMs : null };
  const backfills = kept(state.backfills.map((one) => (one === backfill ? changed : one)));
  return { state: { ...state, backfills }, events: [told(event, changed)] };
}

/** Why a backfill cannot be paused, resumed or cancelled, as a sentence; undefined when it can (or is so already). */
export function whyUnchangeable(
  backfill: Backfill | undefined,
  id: string,
  change: BackfillChange,
): string | undefined {
  if (!backfill) return `there is no backfill ${id}, or it ended long ago: vm-sync backfill list`;
  if (isUnfinished(backfill) || backfill.state === CHANGES[change].to) return undefined;
  return `backfill ${id} is ${backfill.state}: there is nothing left to ${change}`;
}

/** What a comparison of a backfill's range showed. What was repaired a moment ago is not among `proven`. */
export interface BackfillFound {
  readonly id: string;
  readonly found: FoundWindows;
  /** Why a database refuses to look at it, which asking again does not change; undefined where it was looked at. */
  readonly refused?: string | undefined;
}

/**
 * Takes what has been proven from the backfills of one direction. Those with nothing left are done, those that a
 * database refuses are cancelled; either is told.
 */
export function proveBackfills(
  backfills: readonly Backfill[],
  direction: DirectionKey,
  shown: readonly BackfillFound[],
  atMs: number,
): { readonly backfills: readonly Backfill[]; readonly events: readonly SyncEvent[] } {
  const events: SyncEvent[] = [];
  const next = backfills.map((backfill) => {
    const mine = shown.filter(({ id }) => id === backfill.id);
    if (backfill.direction !== direction || !isUnfinished(backfill) || mine.length === 0) {
      return backfill;
    }
    const refusal = mine.find(({ refused }) => refused !== undefined)?.refused;
    if (refusal !== undefined) {
      events.push({ kind: 'backfill-refused', id: backfill.id, reason: refusal });
      const cancelled: Backfill = { ...backfill, state: 'cancelled', endedMs: atMs };
      return cancelled;
    }
    const damaged = within(
      mine.flatMap(({ found }) => found.damaged),
      backfill.window,
    );
    const proven = mine.flatMap(({ found }) => found.proven);
    const unproven = mergeWindows([...subtractWindows(backfill.unproven, proven), ...damaged]);
    return endedIfProven({ ...backfill, unproven }, atMs, events);
  });
  return { backfills: kept(next), events };
}

function endedIfProven(backfill: Backfill, atMs: number, events: SyncEvent[]): Backfill {
  if (backfill.unproven.length > 0) return backfill;
  events.push({
    kind: 'backfill-complete',
    id: backfill.id,
    window: backfill.window,
    samples: backfill.samplesRepaired,
    tookMs: atMs - backfill.requestedMs,
  });
  return { ...backfill, state: 'done', endedMs: atMs };
}

/** Narrows the backfills of one direction to what both sites still keep; what has left the retention is beyond repair. */
export function giveUpBackfillsBefore(
  backfills: readonly Backfill[],
  direction: DirectionKey,
  beforeMs: number,
  atMs: number,
): { readonly backfills: readonly Backfill[]; readonly events: readonly SyncEvent[] } {
  const events: SyncEvent[] = [];
  const next = backfills.map((backfill) => {
    const { fromMs, toMs } = backfill.window;
    if (backfill.direction !== direction || !isUnfinished(backfill) || fromMs >= beforeMs) {
      return backfill;
    }
    const window = windowOrNothing(beforeMs, toMs);
    if (!window) {
      const cancelled: Backfill = { ...backfill, state: 'cancelled', unproven: [], endedMs: atMs };
      events.push(told('backfill-given-up', backfill));
      return cancelled;
    }
    const unproven = within(backfill.unproven, window);
    return endedIfProven({ ...backfill, window, unproven }, atMs, events);
  });
  return { backfills: kept(next), events };
}

/** Makes windows due again whose repair a destination may have forgotten; a backfill that was done goes on. */
export const reopenBackfills = (
  backfills: readonly Backfill[],
  direction: DirectionKey,
  windows: readonly Window[],
): readonly Backfill[] =>
  backfills.map((backfill) => {
    const lost = within(windows, backfill.window);
    if (backfill.direction !== direction || backfill.state === 'cancelled' || lost.length === 0) {
      return backfill;
    }
    const state = backfill.state === 'paused' ? 'paused' : 'open';
    const unproven = mergeWindows([...backfill.unproven, ...lost]);
    return { ...backfill, state, unproven, endedMs: null };
  });

/** Adds what a settled run copied to its backfill, also to one that was cancelled meanwhile. */
export const addToBackfill = (
  backfills: readonly Backfill[],
  run: { readonly backfillId: string | null; readonly samples: number; readonly bytes: number },
): readonly Backfill[] =>
  backfills.map((one) =>
    one.id === run.backfillId
      ? {
          ...one,
          samplesRepaired: one.samplesRepaired + run.samples,
          bytesCopied: one.bytesCopied + run.bytes,
        }
      : one,
  );

/**
 * The windows of a direction that a backfill of everything is at work on. A difference there is being seen to, so
 * nobody has to be told to run a command.
 */
export const beingBackfilled = (
  backfills: readonly Backfill[],
  direction: DirectionKey,
  window: Window,
): Backfill | undefined =>
  backfills.find(
    (one) =>
      isUnfinished(one) &&
      one.direction === direction &&
      one.match.length === 0 &&
      subtractWindows([window], [one.window]).length === 0,
  );

/** All unfinished ones and the last ended ones, in the order in which they were asked for. */
function kept(backfills: readonly Backfill[]): readonly Backfill[] {
  const ended = backfills
    .filter((one) => !isUnfinished(one))
    .sort((a, b) => (b.endedMs ?? 0) - (a.endedMs ?? 0));
  const forgotten = new Set(ended.slice(ENDED_KEPT));
  return backfills.filter((one) => !forgotten.has(one));
}

const told = (
  kind: Extract<SyncEvent, { kind: `backfill-${string}`; direction: DirectionKey }>['kind'],
  { id, direction, window, match }: Backfill,
): SyncEvent => ({ kind, id, direction, window, match });

const within = (windows: readonly Window[], bounds: Window): Window[] =>
  mergeWindows(windows.flatMap((window) => intersect(window, bounds) ?? []));
