import { DIRECTION_KEYS, type RecentRepair, type SyncState } from '@vm-sync/core';

/**
 * A worker whose job was wiped away goes on until its lock cannot be renewed; what it imports meanwhile would be copied
 * a second time.
 */
export const AFTER_WIPE_MS = 25_000;

/**
 * Runs that were wiped away never settle, but may have copied something a moment ago: what was unproven then is proven
 * only when it has certainly been written to disk, and looked at again when its destination restarts.
 */
export function withLostRepairs(state: SyncState, nowMs: number): SyncState {
  const { backfills, marks } = state;
  const settledMs = nowMs + AFTER_WIPE_MS;
  const lost = DIRECTION_KEYS.flatMap((direction): RecentRepair[] => {
    const ofBackfills = backfills.filter((one) => one.direction === direction);
    return [
      ...(marks[direction]?.unproven ?? []),
      ...ofBackfills.flatMap(({ unproven }) => unproven),
    ].map((window) => ({ direction, window, settledMs }));
  });
  return { ...state, recentRepairs: withRepairs(state.recentRepairs, lost) };
}

/** Repairs of the same windows are known once, with the later time. */
function withRepairs(
  known: readonly RecentRepair[],
  repairs: readonly RecentRepair[],
): readonly RecentRepair[] {
  const keyOf = ({ direction, window }: RecentRepair) =>
    `${direction} ${window.fromMs} ${window.toMs}`;
  const again = new Set(repairs.map(keyOf));
  return [...known.filter((repair) => !again.has(keyOf(repair))), ...repairs];
}
