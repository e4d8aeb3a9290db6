import { rememberSite } from './direction-memory.ts';
import { formatDuration, parseDurationMs } from './duration.ts';
import { VmSyncError } from './errors.ts';
import { SITES, type Site } from './site.ts';
import type { Step, SyncState } from './state.ts';
import type { NamingWitness } from './witness.ts';

/** A person's word that a site is the active one, for a time. */
export interface Pin {
  readonly site: Site;
  readonly untilMs: number;
  readonly atMs: number;
}

/** The pin that holds at this time. */
export const pinAt = (pin: Pin | null, nowMs: number): Pin | null =>
  pin !== null && nowMs < pin.untilMs ? pin : null;

export const pinWitness = ({ site, untilMs }: Pin): NamingWitness => ({
  name: 'pin',
  says: site,
  text: `pinned by hand to the ${site} site until ${new Date(untilMs).toISOString()} (vm-sync unpin ends it)`,
});

/** What a person asks for, as it was written on a command line or in a form. */
export interface PinWish {
  readonly site: string;
  readonly for: string;
}

/** A wish that cannot be fulfilled, with the field at fault. */
export class PinRefusedError extends VmSyncError {
  override name = 'PinRefusedError';
  readonly field: keyof PinWish;

  constructor(field: keyof PinWish, sentence: string) {
    super('final', `${field}: ${sentence}`);
    this.field = field;
  }
}

/** A pin is for an emergency or a planned move; whoever wants more sets ACTIVE_SITE. */
export const PIN_MOST_MS = 7 * 86_400_000;
const PIN_LEAST_MS = 1_000;

/** Reads a wish. Throws a `PinRefusedError`. */
export function readPinWish(wish: PinWish, nowMs: number): Pin {
  const site = SITES.find((one) => one === wish.site);
  if (!site) {
    throw new PinRefusedError('site', `expected primary or dr, got ${JSON.stringify(wish.site)}`);
  }
  const forMs = parseDurationMs(wish.for);
  if (forMs === undefined || forMs < PIN_LEAST_MS || forMs > PIN_MOST_MS) {
    throw new PinRefusedError(
      'for',
      `expected a duration such as 30m, 2h or 1d, from ${formatDuration(PIN_LEAST_MS)} to ${formatDuration(PIN_MOST_MS)}, got ${JSON.stringify(wish.for)}`,
    );
  }
  return { site, untilMs: nowMs + forMs, atMs: nowMs };
}

/** Sets a pin, in the place of an earlier one. The direction is the pinned one at once. Safe to apply twice. */
export function setPin(state: SyncState, pin: Pin): Step {
  const { site, untilMs, atMs } = pin;
  if (state.pin?.site === site && state.pin.untilMs === untilMs) return { state, events: [] };
  const seen = rememberSite(state.direction, { site, sure: true, ttlMs: 0, atMs });
  return {
    state: { ...state, pin, direction: { ...seen, whyNoWriting: null } },
    events: [{ kind: 'pinned', site, untilMs }],
  };
}

/** Removes the pin, if there is one: the next look at DNS or the setting decides. */
export function removePin(state: SyncState): Step {
  if (state.pin === null) return { state, events: [] };
  return {
    state: { ...state, pin: null },
    events: [{ kind: 'unpinned', site: state.pin.site }],
  };
}

/** Forgets a pin that has ended by itself. */
export function endPin(state: SyncState, nowMs: number): Step {
  const { pin } = state;
  if (pin === null || pinAt(pin, nowMs)) return { state, events: [] };
  const { site, untilMs } = pin;
  return { state: { ...state, pin: null }, events: [{ kind: 'pin-ended', site, untilMs }] };
}
