import {
  type ActiveSite,
  confirmableMs,
  type DirectionMemory,
  directionFrom,
  endPin,
  judgeDirection,
  type Site,
  type SyncState,
} from '@vm-sync/core';
import { hearWitnesses } from '@vm-sync/runtime';
import type { SchedulerContext } from './context.ts';
import { emit } from './tell.ts';

/** The direction by a look just now, and the state that remembers it. */
export interface Looked {
  readonly state: SyncState;
  readonly active: ActiveSite;
}

/**
 * Hears the witnesses and judges them. What changes for workers is kept where they read it before anything is begun upon
 * it; but a Redis that was wiped is not given a state before its lost work is planned again, or the wipe would be forgotten.
 */
export async function lookAtDirection(
  context: SchedulerContext,
  before: SyncState,
  redisWasWiped: boolean,
): Promise<Looked> {
  const testimony = await hearWitnesses(context.config.active);
  const { state: current, events } = endPin(before, testimony.atMs);
  const { memory, active, confirmedNow } = judgeDirection(
    current.direction,
    testimony,
    current.pin,
  );
  for (const event of events) await emit(context, event);
  if (confirmedNow) {
    const { reason, epoch } = active;
    const direction = directionFrom(memory.site as Site);
    await emit(context, { kind: 'direction-confirmed', direction, epoch, reason });
  }
  const state = { ...current, direction: memory };
  if (!redisWasWiped && matters(before, state)) await context.memory.save(state);
  return { state, active };
}

/** Whether workers would judge their orders otherwise. When an answer was last heard does not matter to them. */
const matters = (before: SyncState, after: SyncState): boolean =>
  before.pin !== after.pin || keyOf(before.direction) !== keyOf(after.direction);

const keyOf = ({ site, epoch, confirmed, whyNoWriting }: DirectionMemory): string =>
  JSON.stringify([site, epoch, confirmed, whyNoWriting]);

/** A look that comes a little too early would confirm nothing. */
const MARGIN_MS = 100;

/** How long until a check can confirm the direction; undefined when the next regular one is soon enough. */
export function confirmInMs(
  { direction }: SyncState,
  nowMs: number,
  checkIntervalMs: number,
): number | undefined {
  const atMs = confirmableMs(direction);
  if (atMs === null) return undefined;
  const delayMs = Math.max(0, atMs + MARGIN_MS - nowMs);
  return delayMs < checkIntervalMs / 2 ? delayMs : undefined;
}
