import { confirmAfterMs, type DirectionMemory, rememberSite } from './direction-memory.ts';
import { formatDuration } from './duration.ts';
import { type Pin, pinAt, pinWitness } from './pin.ts';
import { directionFrom, formatDirection, otherSite, type Site } from './site.ts';
import type { NamingWitness, Testimony, Witness } from './witness.ts';

/**
 * Which site is active, as far as the evidence goes, and whether that is evidence enough for writing. `reason` is a
 * sentence that a person can check.
 */
export interface ActiveSite {
  readonly site: Site | 'unknown';
  readonly reason: string;
  readonly witnesses: readonly Witness[];
  readonly mayWrite: boolean;
  /** Why not, as a sentence that says what ends it; null when writing is allowed. */
  readonly whyNoWriting: string | null;
  /** Of the direction: orders of another one do not hold. */
  readonly epoch: number;
}

/** What a look at the direction found. */
export interface Judgement {
  readonly memory: DirectionMemory;
  readonly active: ActiveSite;
  /** True when waiting for a second answer has ended with this one. */
  readonly confirmedNow: boolean;
}

/**
 * Judges what the witnesses say against what is remembered. A pin outranks DNS and the setting: a person who pins has
 * looked. An owner of the lease who contradicts the address stops writing, and so does a lease that cannot be read.
 */
export function judgeDirection(
  before: DirectionMemory,
  testimony: Testimony,
  pin: Pin | null,
): Judgement {
  const { atMs, ttlMs, lease } = testimony;
  const pinned = pinAt(pin, atMs);
  const named: NamingWitness = pinned ? pinWitness(pinned) : testimony.named;
  const sure = named.name !== 'address';
  const seen = rememberSite(before, { site: named.says, sure, ttlMs, atMs });
  const whyNoWriting = whyNotWritten(seen, named, lease);
  return {
    memory: { ...seen, whyNoWriting },
    active: {
      site: named.says,
      reason: named.text,
      witnesses: [named, ...(pinned ? [testimony.named] : []), ...(lease ? [lease] : [])],
      mayWrite: whyNoWriting === null,
      whyNoWriting,
      epoch: seen.epoch,
    },
    confirmedNow: !sure && seen.confirmed && !(before.confirmed && before.epoch === seen.epoch),
  };
}

function whyNotWritten(
  memory: DirectionMemory,
  named: NamingWitness,
  lease: Witness | null,
): string | null {
  if (named.says === 'unknown') {
    return `nothing is written while it is unknown which site is active: ${named.text}`;
  }
  const contradiction = named.name === 'address' ? leaseContradiction(named, lease) : null;
  if (contradiction !== null) return contradiction;
  if (memory.confirmed) return null;
  const direction = formatDirection(directionFrom(named.says));
  const first = new Date(memory.firstEqualMs as number).toISOString();
  const later = formatDuration(confirmAfterMs(memory.ttlMs));
  return `nothing is written ${direction} yet: ${named.says} was first seen as the active site at ${first}; the same answer at least ${later} later confirms it`;
}

/** Why the lease forbids writing in the direction that the address names; null when it does not. */
export function leaseContradiction(address: NamingWitness, lease: Witness | null): string | null {
  if (lease === null || lease.says === null || lease.says === address.says) return null;
  const what =
    lease.says === 'unknown' ? 'the lease cannot be read' : 'the lease contradicts the address';
  return `nothing is written because ${what} (${address.text}; ${lease.text}): mend one of them, pin the direction (vm-sync pin), or set DNS_LEASE_RECORD=none`;
}

/** Adds what the databases themselves say of it. */
export const withFreshness = (active: ActiveSite, freshness: Witness): ActiveSite => ({
  ...active,
  witnesses: [...active.witnesses, freshness],
});

/** Why READY is not said although the comparison may allow it: by the direction's own evidence. */
export function directionDoubts({ site, whyNoWriting, witnesses }: ActiveSite): string[] {
  const doubts = whyNoWriting === null ? [] : [whyNoWriting];
  if (site === 'unknown') return doubts;
  const freshness = witnesses.find(({ name }) => name === 'freshness');
  if (freshness?.says === otherSite(site)) {
    doubts.push(
      `${freshness.says} receives newer data than ${site}, the active site (${freshness.text}): is the direction right, and does the collector write to ${site}?`,
    );
  }
  return doubts;
}
