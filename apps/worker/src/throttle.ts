import { setTimeout as sleep } from 'node:timers/promises';
import { lostPace, type Pace, type PaceLimits, VmSyncError } from '@vm-sync/core';
import type { PaceStore } from '@vm-sync/queue';
import type { Logger } from '@vm-sync/runtime';

/** The pace is looked up this often: a stop is heard of within a second. */
const LOOK_MS = 1_000;

/** A pace that could not be looked up for this long, because Redis is away, is lost. */
const LOST_MS = 30_000;

/** Bytes are asked for in lots, at most as many as are sent in this time, so that all workers get their turns. */
const LOT_BYTES = 1_000_000;
const LOT_S = 0.25;

/** Holds a worker's copies to the pace that all workers share. */
export class Throttle {
  readonly #store: PaceStore;
  readonly #limits: PaceLimits;
  readonly #log: Logger;
  readonly #looking: NodeJS.Timeout;
  #pending: Promise<void> | undefined;
  #pace: Pace | undefined;
  #seenMs = Number.NEGATIVE_INFINITY;
  /** Bytes that were booked and not yet sent. */
  #booked = 0;

  private constructor(store: PaceStore, limits: PaceLimits, log: Logger) {
    this.#store = store;
    this.#limits = limits;
    this.#log = log;
    this.#looking = setInterval(() => void this.#look(), LOOK_MS);
    this.#looking.unref();
  }

  /** Ready when the pace has been looked up once. */
  static async start(store: PaceStore, limits: PaceLimits, log: Logger): Promise<Throttle> {
    const throttle = new Throttle(store, limits, log);
    await throttle.#look();
    return throttle;
  }

  /** True while nothing may be written at all. */
  get stopped(): boolean {
    return this.#current().stopped;
  }

  /** Waits until so many bytes may be sent. Throws a `busy` error when repairs are stopped, and when the signal aborts. */
  async take(bytes: number, signal: AbortSignal): Promise<void> {
    this.#assertGoing();
    const { bytesPerS } = this.#current();
    if (bytesPerS === null) return;
    if (bytes <= this.#booked) {
      this.#booked -= bytes;
      return;
    }
    const lacking = bytes - this.#booked;
    this.#booked = 0;
    const lot = Math.max(lacking, Math.ceil(Math.min(LOT_BYTES, bytesPerS * LOT_S)));
    await unlessAborted(this.#whenBooked(lot, bytesPerS, signal), signal);
    this.#booked += lot - lacking;
    this.#assertGoing();
  }

  close(): void {
    clearInterval(this.#looking);
  }

  #assertGoing(): void {
    const { stopped, reason } = this.#current();
    if (stopped) throw new VmSyncError('busy', `repairs are stopped: ${reason}`);
  }

  async #whenBooked(bytes: number, bytesPerS: number, signal: AbortSignal): Promise<void> {
    const waitMs = await this.#store.bookBytes(bytes, bytesPerS);
    await sleep(waitMs, undefined, { signal });
  }

  #current(): Pace {
    const lost = performance.now() - this.#seenMs > LOST_MS;
    return this.#pace && !lost ? this.#pace : lostPace(this.#limits, this.#pace);
  }

  /** One look at a time: while Redis is away, looks wait for it. */
  #look(): Promise<void> {
    this.#pending ??= this.#read().finally(() => {
      this.#pending = undefined;
    });
    return this.#pending;
  }

  async #read(): Promise<void> {
    try {
      this.#pace = await this.#store.current(this.#limits);
      this.#seenMs = performance.now();
    } catch (error) {
      this.#log.debug({ err: error }, 'the pace could not be read');
    }
  }
}

/** Redis may be away for longer than the copy has time. */
async function unlessAborted(act: Promise<void>, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const end = () => reject(signal.reason);
  signal.addEventListener('abort', end, { once: true });
  try {
    await Promise.race([act, aborted]);
  } finally {
    signal.removeEventListener('abort', end);
    act.catch(() => {});
  }
}
