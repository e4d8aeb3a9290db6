import type { Site } from './site.ts';

/** What is remembered of the direction from look to look. */
export interface DirectionMemory {
  /** The last known site; null before the first. An `unknown` does not change it. */
  readonly site: Site | null;
  /** Increases by one whenever the known site differs from the last known one; 0 before the first. */
  readonly epoch: number;
  readonly sinceMs: number | null;
  /** The first and the last of this site's answers; null while its confirmation begins anew. */
  readonly firstEqualMs: number | null;
  readonly lastEqualMs: number | null;
  /** Of the first equal answer: a second one that much later was not kept by a resolver on the way. */
  readonly ttlMs: number;
  /** Whether this epoch's site counts for writing. */
  readonly confirmed: boolean;
  /** Why nothing could be written by the last look; null when it could. */
  readonly whyNoWriting: string | null;
}

export const NO_DIRECTION: DirectionMemory = {
  site: null,
  epoch: 0,
  sinceMs: null,
  firstEqualMs: null,
  lastEqualMs: null,
  ttlMs: 0,
  confirmed: false,
  whyNoWriting: 'nothing is written before the first look at the direction',
};

/** Two answers within less than this may be one and the same, whatever their TTL says. */
const CONFIRM_LEAST_MS = 1_000;

/** A record with a TTL of a day does not keep repairs away for a day. */
const CONFIRM_MOST_MS = 600_000;

/** How long after a first answer an equal one confirms it. */
export const confirmAfterMs = (ttlMs: number): number =>
  Math.min(Math.max(ttlMs, CONFIRM_LEAST_MS), CONFIRM_MOST_MS);

/** When a further equal answer confirms the direction; null when it is confirmed, or when nothing is waited for. */
export const confirmableMs = (memory: DirectionMemory): number | null =>
  memory.confirmed || memory.firstEqualMs === null
    ? null
    : memory.firstEqualMs + confirmAfterMs(memory.ttlMs);

/** One answer to the question which site is active. `sure`: a person said so, which needs no second answer. */
export interface SeenSite {
  readonly site: Site | 'unknown';
  readonly sure: boolean;
  readonly ttlMs: number;
  readonly atMs: number;
}

/**
 * Adds an answer to the memory. A site that differs from the last known one is a new epoch, and is confirmed by two
 * equal answers at least a TTL apart. `unknown` changes nothing that was confirmed; where confirmation is still waited for,
 * the waiting begins anew.
 */
export function rememberSite(before: DirectionMemory, seen: SeenSite): DirectionMemory {
  const { site, sure, ttlMs, atMs } = seen;
  if (site === 'unknown') {
    return before.confirmed ? before : { ...before, firstEqualMs: null, lastEqualMs: null };
  }
  const fresh = { firstEqualMs: atMs, lastEqualMs: atMs, ttlMs };
  if (site !== before.site) {
    const epoch = before.epoch + 1;
    return { ...before, ...fresh, site, epoch, sinceMs: atMs, confirmed: sure };
  }
  if (before.confirmed || sure) return { ...before, lastEqualMs: atMs, confirmed: true };
  // A clock that was set back would otherwise make it wait for long.
  if (before.firstEqualMs === null || atMs < before.firstEqualMs) return { ...before, ...fresh };
  const confirmed = atMs - before.firstEqualMs >= confirmAfterMs(before.ttlMs);
  return { ...before, lastEqualMs: atMs, confirmed };
}
