import type { Site } from './site.ts';
import { remember, type SiteMemory, type SiteReading, type Strain, strainOf } from './strain.ts';

/** How fast repairs may go now, for all workers together. */
export interface Pace {
  /** So many chunks are copied at a time; at least 1. */
  readonly copies: number;
  /** Bytes sent to the destination in a second; null is no limit. */
  readonly bytesPerS: number | null;
  /** True when nothing may be written at all. */
  readonly stopped: boolean;
  /** Why repairs are stopped or slower than they might be, in a sentence for people; null at full speed. */
  readonly reason: string | null;
  /** So many calm readings must pass before the next step up. */
  readonly restTicks: number;
  readonly memory: { readonly [S in Site]?: SiteMemory | undefined };
}

/** The settings MAX_COPIES and MAX_BYTES_PER_SECOND. */
export interface PaceLimits {
  readonly maxCopies: number;
  readonly maxBytesPerS: number | null;
}

/** A pace begins slowly: what the databases bear is found out, not assumed. */
export const startingPace = (limits: PaceLimits): Pace => ({
  copies: 1,
  bytesPerS: limits.maxBytesPerS,
  stopped: false,
  reason:
    limits.maxCopies === 1 ? null : withCopies('the databases are still being read', 1, limits),
  restTicks: 0,
  memory: {},
});

/** Fast enough to go on with, and not felt by a database. */
const BLIND_BYTES_PER_S = 1_000_000;

/**
 * What holds for workers when nobody says how fast they may go: slow, never without a limit. `last` is the last pace
 * that is known: a stop stays a stop until somebody has seen that its cause is gone.
 */
export function lostPace(limits: PaceLimits, last?: Pace): Pace {
  if (last?.stopped) return last;
  return {
    ...startingPace(limits),
    bytesPerS: Math.min(BLIND_BYTES_PER_S, limits.maxBytesPerS ?? BLIND_BYTES_PER_S),
    reason: 'nobody watches the databases (is the scheduler running?): as slowly as can be',
  };
}

/** What people are shown of a pace. */
export type ShownPace = Omit<Pace, 'restTicks' | 'memory'>;

export const shownPace = ({ copies, bytesPerS, stopped, reason }: Pace): ShownPace => ({
  copies,
  bytesPerS,
  stopped,
  reason,
});

/** After a struggle this many calm readings pass before the first step up. */
const REST_TICKS = 2;

/**
 * The pace after a tick's readings, one of each site. Struggle halves the copies, calm lets them climb by one, no
 * reading of a site means one copy; a destination that is read-only or short of disk stops repairs until it is neither.
 */
export function nextPace(before: Pace, readings: readonly SiteReading[], limits: PaceLimits): Pace {
  const judged = readings.map((reading) => ({
    reading,
    strain: strainOf(reading, before.memory[reading.site], before.stopped),
  }));
  const memory = { ...before.memory };
  for (const { reading, strain } of judged) {
    memory[reading.site] = remember(reading, memory[reading.site], strain === undefined);
  }
  const strains = judged.flatMap(({ strain }) => strain ?? []);
  const same = { bytesPerS: limits.maxBytesPerS, memory };
  const worst = WORST_FIRST.flatMap((kind) => strains.filter((one) => one.kind === kind))[0];
  if (worst?.kind === 'stop') return { ...same, ...stoppedBy(worst.text) };
  // A destination that cannot be read has not been seen to have room again.
  const unread = readings.some(
    ({ role, load }) => role === 'destination' && typeof load === 'string',
  );
  if (before.stopped && unread) return { ...same, ...stoppedBy(before.reason ?? '') };
  return { ...same, ...steered(before, worst, limits) };
}

type Steering = Omit<Pace, 'bytesPerS' | 'memory'>;

const WORST_FIRST: readonly Strain['kind'][] = ['stop', 'blind', 'struggling', 'full'];

/** The pace of a scheduler that begins: slow, with what the one before had learned and stopped for. */
export function resumedPace(limits: PaceLimits, last: Pace | undefined): Pace {
  const begun = startingPace(limits);
  if (!last) return begun;
  const { memory, stopped, reason, restTicks } = last;
  return stopped ? { ...begun, memory, stopped, reason, restTicks } : { ...begun, memory };
}

const stoppedBy = (reason: string): Steering => ({
  copies: 1,
  stopped: true,
  reason,
  restTicks: REST_TICKS,
});

function steered(before: Pace, strain: Strain | undefined, limits: PaceLimits): Steering {
  const held = Math.min(before.copies, limits.maxCopies);
  const go = (copies: number, restTicks: number, why: string): Steering => ({
    copies,
    stopped: false,
    reason:
      copies === limits.maxCopies && !slowing(strain) ? null : withCopies(why, copies, limits),
    restTicks,
  });
  if (strain?.kind === 'blind') return go(1, REST_TICKS, strain.text);
  if (strain?.kind === 'struggling') {
    return go(Math.max(1, Math.floor(held / 2)), REST_TICKS, strain.text);
  }
  if (strain) return go(held, before.restTicks, strain.text);
  const calm = 'the databases are calm, one more with every reading';
  if (before.restTicks > 0) return go(held, before.restTicks - 1, calm);
  return go(Math.min(held + 1, limits.maxCopies), 0, calm);
}

const slowing = (strain: Strain | undefined): boolean =>
  strain?.kind === 'struggling' || strain?.kind === 'blind';

const withCopies = (why: string, copies: number, { maxCopies }: PaceLimits): string =>
  `${why}: ${copies} of ${maxCopies} ${maxCopies === 1 ? 'copy' : 'copies'} at a time`;
