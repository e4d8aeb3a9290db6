import { leaseContradiction } from './direction.ts';
import type { DirectionMemory } from './direction-memory.ts';
import { type Pin, pinAt, pinWitness } from './pin.ts';
import type { Direction, Site } from './site.ts';
import type { Testimony } from './witness.ts';

/** What a chunk's order says of the direction. */
export interface DirectedOrder {
  readonly direction: Direction;
  readonly epoch: number;
  /** True when it is from the passive site to the active one. */
  readonly recovery: boolean;
}

/** A repair copies from the active site; a recovery copies to it what only the other one has. */
const activeSiteOf = ({ direction, recovery }: DirectedOrder): Site =>
  recovery ? direction.destination : direction.source;

/** What is remembered of the direction now; undefined when nothing is (any more). */
export type RememberedDirection =
  | { readonly direction: DirectionMemory; readonly pin: Pin | null }
  | undefined;

/**
 * Whether an order may be carried out: `waits` when the evidence does not suffice now but may do so later; `turned` when
 * another site is active by a look just now; `expired` when the direction has changed since it was given, for good.
 */
export type OrderJudgement =
  | { readonly kind: 'holds' }
  | { readonly kind: 'waits' | 'turned' | 'expired'; readonly why: string };

const HOLDS: OrderJudgement = { kind: 'holds' };

/** Judges an order by what the last check knew, without asking anybody. */
export function judgeRemembered(order: DirectedOrder, known: RememberedDirection): OrderJudgement {
  if (known === undefined) {
    return { kind: 'waits', why: 'the direction is not remembered until the next check' };
  }
  const { direction: memory } = known;
  const { epoch } = order;
  if (memory.epoch !== epoch || memory.site !== activeSiteOf(order)) {
    const since = memory.sinceMs === null ? '' : ` since ${new Date(memory.sinceMs).toISOString()}`;
    const now = memory.site === null ? 'none is known' : `${memory.site} is active${since}`;
    return {
      kind: 'expired',
      why: `the direction has changed since it was given (epoch ${epoch} then, ${memory.epoch} now: ${now})`,
    };
  }
  if (!memory.confirmed || memory.whyNoWriting !== null) {
    const why = memory.whyNoWriting ?? 'the direction is not confirmed yet';
    return { kind: 'waits', why };
  }
  return HOLDS;
}

/** Judges an order by a person's word; undefined when nothing is pinned, and the witnesses have to be heard. */
export function judgePin(
  order: DirectedOrder,
  pin: Pin | null,
  nowMs: number,
): OrderJudgement | undefined {
  const pinned = pinAt(pin, nowMs);
  if (!pinned) return undefined;
  if (pinned.site === activeSiteOf(order)) return HOLDS;
  return { kind: 'turned', why: pinWitness(pinned).text };
}

/** Judges an order by what the witnesses say right now, after `judgeRemembered` has let it pass. */
export function judgeTestimony(order: DirectedOrder, { named, lease }: Testimony): OrderJudgement {
  if (named.says === 'unknown') {
    return { kind: 'waits', why: `it is unknown which site is active (${named.text})` };
  }
  if (named.says !== activeSiteOf(order)) return { kind: 'turned', why: named.text };
  const contradiction = named.name === 'address' ? leaseContradiction(named, lease) : null;
  return contradiction === null ? HOLDS : { kind: 'waits', why: contradiction };
}
