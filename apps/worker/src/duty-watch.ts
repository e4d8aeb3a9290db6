import { VmSyncError } from '@vm-sync/core';
import type { DutyStore } from '@vm-sync/queue';
import type { Logger } from '@vm-sync/runtime';

/** A right to write that was taken back is heard of within this time. */
const LOOK_MS = 500;

/** A chunk that may not be written looks again after so long. */
export const DUTY_REST_MS = 2_000;

/**
 * Knows whether this worker may write: only while a scheduler of its Redis is on duty. That right ends by itself, here
 * too when Redis is away, before another site's vm-sync takes over.
 */
export class DutyWatch {
  readonly #store: DutyStore;
  readonly #log: Logger;
  readonly #looking: NodeJS.Timeout;
  #pending: Promise<void> | undefined;
  #heldUntilMs = Number.NEGATIVE_INFINITY;

  constructor(store: DutyStore, log: Logger) {
    this.#store = store;
    this.#log = log;
    this.#looking = setInterval(() => void this.look(), LOOK_MS);
    this.#looking.unref();
  }

  get held(): boolean {
    return performance.now() < this.#heldUntilMs;
  }

  /** Throws what makes a chunk wait: being without duty is no failed try. */
  assertHeld(): void {
    if (this.held) return;
    throw new VmSyncError(
      'busy',
      'the scheduler of this vm-sync is not on duty (vm-sync status says why); nothing more is written until it is',
      { retryAfterMs: DUTY_REST_MS },
    );
  }

  /** One look at a time: while Redis is away, looks wait for it. */
  look(): Promise<void> {
    this.#pending ??= this.#read().finally(() => {
      this.#pending = undefined;
    });
    return this.#pending;
  }

  close(): void {
    clearInterval(this.#looking);
  }

  async #read(): Promise<void> {
    const askedMs = performance.now();
    try {
      this.#heldUntilMs = askedMs + (await this.#store.lentForMs());
    } catch (error) {
      this.#log.debug({ err: error }, 'the duty could not be read');
    }
  }
}
