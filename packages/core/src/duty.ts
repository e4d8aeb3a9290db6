import { formatDuration } from './duration.ts';
import type { Heartbeat } from './own-series.ts';
import { otherSite, type Site } from './site.ts';

/**
 * Two vm-syncs, one repair. Both write heartbeats into both VMs: 1 while they repair or are about to, 0 otherwise. The
 * one beside the destination repairs; the other takes over when it has not seen a new heartbeat for three intervals.
 * Clocks of machines do not matter: what counts is when a change was seen, by one's own monotonic clock.
 */

/** What the decisions are made of; milliseconds. */
export interface DutyTimes {
  /** CHECK_INTERVAL. */
  readonly intervalMs: number;
  /** An interval, but long enough for a busy machine: the unit of leases and of patience with the other. */
  readonly unitMs: number;
}

const UNIT_LEAST_MS = 2_500;

export const dutyTimes = (intervalMs: number): DutyTimes => ({
  intervalMs,
  unitMs: Math.max(intervalMs, UNIT_LEAST_MS),
});

/** How long duty lasts after the heartbeat that tells of it; the other waits for longer than that. */
export const LEASE_UNITS = 2;
export const PATIENCE_UNITS = 3;

/** What is known of the other vm-sync; times by one's own monotonic clock. */
export interface Other {
  readonly sinceMs: number;
  /** Its newest heartbeat, and when that was first seen; null while none was ever seen. */
  readonly last: { readonly beat: Heartbeat; readonly seenMs: number } | null;
}

export const strangerSince = (nowMs: number): Other => ({ sinceMs: nowMs, last: null });

/** What both VMs show of the other; a heartbeat that was there before us counts as fresh at first. */
export function observeOther(other: Other, beats: readonly Heartbeat[], nowMs: number): Other {
  const newest = newestBeat(beats);
  const last = other.last?.beat;
  if (!newest) return other;
  const isNew =
    !last ||
    newest.atMs > last.atMs ||
    (newest.atMs === last.atMs && newest.onDuty && !last.onDuty);
  return isNew ? { ...other, last: { beat: newest, seenMs: nowMs } } : other;
}

/** Of two with the same time, as two VMs may show them, the one on duty counts. */
export const newestBeat = (beats: readonly Heartbeat[]): Heartbeat | undefined =>
  beats.reduce<Heartbeat | undefined>((newest, beat) => {
    if (!newest || beat.atMs > newest.atMs) return beat;
    return beat.atMs === newest.atMs && beat.onDuty ? beat : newest;
  }, undefined);

/** `leave`: still on duty, but only until the open run has ended. */
export type Stance = 'watch' | 'duty' | 'leave';

export interface DutySituation {
  readonly stance: Stance;
  /** Whether this vm-sync stands beside the destination. */
  readonly beside: boolean;
  readonly other: Other;
  readonly nowMs: number;
  readonly times: DutyTimes;
}

export const isFresh = ({ other, nowMs, times }: DutySituation): boolean =>
  other.last !== null && nowMs - other.last.seenMs < PATIENCE_UNITS * times.unitMs;

/** What to do now. `claim`: write 1 to both VMs, make it visible, look at the other again, then ask `mayHold`. */
export function decideDuty(situation: DutySituation): 'watch' | 'claim' | 'hold' | 'leave' {
  const { stance, beside, other, nowMs, times } = situation;
  const fresh = isFresh(situation);
  if (stance !== 'watch') return beside || !fresh ? 'hold' : 'leave';
  if (beside) return fresh && other.last?.beat.onDuty ? 'watch' : 'claim';
  if (other.last) return fresh ? 'watch' : 'claim';
  return nowMs - other.sinceMs >= PATIENCE_UNITS * times.intervalMs ? 'claim' : 'watch';
}

/**
 * After a claim has become visible: whether it holds. Of two that claim at once at least one sees the other's claim,
 * because each looks after its own is visible (Dekker's order).
 */
export function mayHold(situation: DutySituation): boolean {
  if (!isFresh(situation)) return true;
  return situation.beside && !situation.other.last?.beat.onDuty;
}

/** What people are shown; times by the wall clock of the machine that wrote it. */
export interface DutyView {
  readonly atMs: number;
  readonly role: Site;
  readonly stance: Stance;
  /** Why this vm-sync cannot repair, null when it could. */
  readonly unable: string | null;
  readonly other: {
    readonly seenMs: number;
    readonly onDuty: boolean;
    readonly fresh: boolean;
  } | null;
}

/** Why a wish for repairs is to be made at the other site, undefined where this one repairs. */
export function whyElsewhere({ role, stance, other }: DutyView): string | undefined {
  if (stance !== 'watch' || !other?.fresh || !other.onDuty) return undefined;
  const there = otherSite(role);
  return `this vm-sync (${role}'s) watches, and ${there}'s repairs: ask for it at ${there}`;
}

/** `repairs`, or `watches: dr's vm-sync repairs, heartbeat 2s ago`. */
export function dutyText({ role, stance, unable, other }: DutyView, nowMs: number): string {
  const name = `${otherSite(role)}'s vm-sync`;
  const ago = other && `heartbeat ${formatDuration(Math.max(0, nowMs - other.seenMs))} ago`;
  const partner = other === null ? `${name} has never been heard of` : `${name}: ${ago}`;
  if (stance === 'duty') return `repairs (${partner})`;
  if (stance === 'leave') return `hands over to ${name}, when its run has ended (${ago})`;
  if (unable !== null) return `cannot repair: ${unable} (${partner})`;
  if (other === null) return `waits whether ${name} repairs`;
  if (other.fresh && other.onDuty) return `watches: ${name} repairs, ${ago}`;
  if (other.fresh) return `watches: ${name} is about to repair, ${ago}`;
  return `watches: ${name} is silent, ${ago}`;
}
