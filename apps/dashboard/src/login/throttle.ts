import { isIPv6 } from 'node:net';

/** What is known of one address, or of one user's name. */
export interface Tally {
  readonly failures: number;
  /** The last failure. */
  readonly lastMs: number;
  /** Tries whose answer is not known yet; they count as failures until it is. */
  readonly open: number;
}

/** People mistype. */
const FREE_TRIES = 5;
const DELAY_MOST_MS = 60_000;
/** After so long without a failure all is forgotten. */
const FORGOTTEN_MS = 15 * 60_000;
/** Of each kind; the oldest make room. */
const TALLIES_MOST = 10_000;
/** Names are a stranger's choice, and so may an address be behind a careless proxy. */
const KEY_MOST = 100;

/** 2 s after the fifth failure, doubled by every further one. */
const delayMs = (failures: number): number =>
  failures < FREE_TRIES ? 0 : Math.min(DELAY_MOST_MS, 1_000 * 2 ** (failures - FREE_TRIES + 1));

/**
 * How long an address has to wait before it may try a user's password; 0 when it may. An address waits for its own
 * failures. Once it has failed it waits as long as the user's failures from all addresses demand, too: so a crowd of
 * addresses is slowed down, and yet nobody is locked out by others: a first try is always free, and waiting is counted
 * from one's own last failure.
 */
export function waitMs(address: Tally | undefined, user: Tally | undefined, nowMs: number): number {
  if (address === undefined) return 0;
  const tries = address.failures + address.open;
  if (tries === 0) return 0;
  const delay = delayMs(Math.max(tries, user?.failures ?? 0));
  const sinceMs = address.open > 0 ? nowMs : address.lastMs;
  return Math.max(0, sinceMs + delay - nowMs);
}

/** An IPv6 user owns 2^64 addresses: they count as one. */
export function addressKey(address: string): string {
  const plain = address.replace(/^::ffff:(?=\d+\.)/i, '');
  if (!isIPv6(plain)) return plain.slice(0, KEY_MOST);
  const [head = '', tail] = (plain.split('%')[0] ?? '').split('::');
  const before = head === '' ? [] : head.split(':');
  const after = tail === undefined || tail === '' ? [] : tail.split(':');
  const zeros = tail === undefined ? [] : Array(8 - before.length - after.length).fill('0');
  const groups = [...before, ...zeros, ...after].slice(0, 4);
  return `${groups.map((group) => Number.parseInt(group, 16).toString(16)).join(':')}::/64`;
}

const userKey = (user: string): string => user.slice(0, KEY_MOST);

class Tallies {
  readonly #byKey = new Map<string, Tally>();

  get(key: string, nowMs: number): Tally | undefined {
    const tally = this.#byKey.get(key);
    if (tally?.open === 0 && nowMs - tally.lastMs > FORGOTTEN_MS) return undefined;
    return tally;
  }

  /** The newest stand last. */
  set(key: string, tally: Tally): void {
    this.#byKey.delete(key);
    if (tally.failures === 0 && tally.open === 0) return;
    const [oldest] = this.#byKey.keys();
    if (this.#byKey.size >= TALLIES_MOST && oldest !== undefined) this.#byKey.delete(oldest);
    this.#byKey.set(key, tally);
  }
}

const NONE: Tally = { failures: 0, lastMs: 0, open: 0 };

/** Slows down whoever tries passwords. In memory, and bounded: a restart forgets it. */
export class Throttle {
  readonly #addresses = new Tallies();
  readonly #users = new Tallies();

  waitMs(address: string, user: string, nowMs: number): number {
    const ofAddress = this.#addresses.get(addressKey(address), nowMs);
    return waitMs(ofAddress, this.#users.get(userKey(user), nowMs), nowMs);
  }

  /** A try begins; `end` must follow. */
  begin(address: string, nowMs: number): void {
    const key = addressKey(address);
    const before = this.#addresses.get(key, nowMs) ?? NONE;
    this.#addresses.set(key, { ...before, open: before.open + 1 });
  }

  /** Being right forgives nothing: who has one password must not try another one for ever. */
  end(
    address: string,
    user: string,
    outcome: 'right' | 'wrong' | 'not tried',
    nowMs: number,
  ): void {
    const key = addressKey(address);
    const before = this.#addresses.get(key, nowMs) ?? NONE;
    const ended = { ...before, open: Math.max(0, before.open - 1) };
    if (outcome !== 'wrong') {
      this.#addresses.set(key, ended);
      return;
    }
    this.#addresses.set(key, { ...ended, failures: ended.failures + 1, lastMs: nowMs });
    const ofUser = this.#users.get(userKey(user), nowMs) ?? NONE;
    this.#users.set(userKey(user), { ...ofUser, failures: ofUser.failures + 1, lastMs: nowMs });
  }
}
