import { VmSyncError } from './errors.ts';
import type { SyncEvent } from './event.ts';
import type { Mark } from './mark.ts';
import { type DirectionKey, directionFrom, directionKey, reverse, type Site } from './site.ts';
import { intersect, mergeWindows, type Window } from './window.ts';

/** An operator's order to recover once what only the passive site has, in all that was open when it was given. */
export interface Reconcile {
  readonly id: string;
  /** From the site that was passive then to the one that was active. */
  readonly direction: DirectionKey;
  readonly requestedMs: number;
  /** Absent where an older version did not ask. */
  readonly who?: string | undefined;
  readonly state: 'open' | 'cancelled' | 'done';
  /** What of it is not proven yet, oldest first. */
  readonly windows: readonly Window[];
  readonly samplesRecovered: number;
  readonly endedMs: number | null;
}

interface Remembered {
  readonly activeSite: Site | 'unknown';
  readonly marks: Readonly<Record<DirectionKey, Mark | null>>;
  readonly reconcile: Reconcile | null;
}

interface Changed<S> {
  readonly state: S;
  readonly events: readonly SyncEvent[];
}

/** Why nothing can be reconciled now, as a sentence; undefined when it can. */
export function whyNoReconcile(state: Remembered): string | undefined {
  const { activeSite, reconcile } = state;
  if (activeSite === 'unknown') {
    return 'no direction is known yet, so nothing can be reconciled: vm-sync status says why';
  }
  if (reconcile?.state === 'open') {
    return `reconcile ${reconcile.id} is under way already: vm-sync status shows it, vm-sync reconcile cancel ends it`;
  }
  if (openBackward(state).length > 0) return undefined;
  return `nothing to reconcile: ${activeSite} is proven to hold everything that the passive site has`;
}

/** The direction from the passive site to the active one. */
const backwardKey = (activeSite: Site): DirectionKey =>
  directionKey(reverse(directionFrom(activeSite)));

const openBackward = ({ activeSite, marks }: Remembered): readonly Window[] =>
  activeSite === 'unknown' ? [] : (marks[backwardKey(activeSite)]?.unproven ?? []);

/**
 * Begins to recover what is open from the passive site to the active one. One whose id is known is left as it is: its
 * job ran before. Throws a final `VmSyncError` where `whyNoReconcile` says a sentence.
 */
export function startReconcile<S extends Remembered>(
  state: S,
  { id, requestedMs, who }: Pick<Reconcile, 'id' | 'requestedMs' | 'who'>,
): Changed<S> {
  if (state.reconcile?.id === id) return { state, events: [] };
  const refusal = whyNoReconcile(state);
  if (refusal !== undefined || state.activeSite === 'unknown') {
    throw new VmSyncError('final', refusal ?? '');
  }
  const reconcile: Reconcile = {
    id,
    direction: backwardKey(state.activeSite),
    requestedMs,
    who,
    state: 'open',
    windows: openBackward(state),
    samplesRecovered: 0,
    endedMs: null,
  };
  return { state: { ...state, reconcile }, events: [told('reconcile-started', reconcile)] };
}

/** Ends one that is open; unchanged when it has been cancelled before. Throws a final `VmSyncError` when there is none. */
export function cancelReconcile<S extends Remembered>(state: S, atMs: number): Changed<S> {
  const { reconcile } = state;
  if (reconcile?.state === 'cancelled') return { state, events: [] };
  if (reconcile?.state !== 'open') throw new VmSyncError('final', NOTHING_UNDER_WAY);
  const cancelled: Reconcile = { ...reconcile, state: 'cancelled', endedMs: atMs };
  return {
    state: { ...state, reconcile: cancelled },
    events: [told('reconcile-cancelled', cancelled)],
  };
}

export const NOTHING_UNDER_WAY = 'no reconcile is under way';

/** Takes from an open one what is proven now; with nothing left it is done, which is told. */
export function proveReconcile(
  reconcile: Reconcile | null,
  marks: Readonly<Record<DirectionKey, Mark | null>>,
  atMs: number,
  events: SyncEvent[],
): Reconcile | null {
  if (reconcile?.state !== 'open') return reconcile;
  const windows = openOf(reconcile, marks[reconcile.direction]?.unproven ?? []);
  if (windows.length > 0) return { ...reconcile, windows };
  const done: Reconcile = { ...reconcile, windows, state: 'done', endedMs: atMs };
  events.push(told('reconcile-complete', done));
  return done;
}

/** What of open time an open order is about. */
export const openOf = (
  reconcile: Pick<Reconcile, 'windows'>,
  open: readonly Window[],
): readonly Window[] =>
  mergeWindows(
    reconcile.windows.flatMap((window) => open.flatMap((one) => intersect(window, one) ?? [])),
  );

/** Why an open order waits, as a sentence; null when it does not. */
export function whyReconcileWaits(
  { direction }: Pick<Reconcile, 'direction'>,
  activeSite: Site | 'unknown',
): string | null {
  if (activeSite === 'unknown') return 'waits until the active site is known';
  if (backwardKey(activeSite) === direction) return null;
  return `${activeSite} is the active site now: regular repairs do the same`;
}

const told = (
  kind: 'reconcile-started' | 'reconcile-cancelled' | 'reconcile-complete',
  { id, direction, requestedMs, samplesRecovered, endedMs }: Reconcile,
): SyncEvent => ({
  kind,
  id,
  direction,
  samples: samplesRecovered,
  tookMs: (endedMs ?? requestedMs) - requestedMs,
});
