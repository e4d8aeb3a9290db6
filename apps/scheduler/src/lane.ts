/** While one message is on its way to a target, the next one looks again after this time. */
const SENDING_MS = 200;

/** A message that has not come back this long after its time was removed by a person: nobody waits for it. */
const LOST_AFTER_MS = 30_000;

/**
 * The order of the messages for one target: one at a time, and none before an older one that is to be tried again. It
 * is kept in memory: after a restart it begins anew. Keys sort by time.
 */
export class Lane {
  #sending = false;
  /** Messages that will come back, and when. */
  readonly #awaited = new Map<string, number>();

  /** Undefined when the message may be sent now; `done` must follow. Otherwise when it is to come again. */
  enter(key: string, nowMs: number): number | undefined {
    const againMs = this.#whenFree(key, nowMs);
    if (againMs === undefined) {
      this.#awaited.delete(key);
      this.#sending = true;
    } else this.#awaited.set(key, againMs);
    return againMs;
  }

  /** `againMs`: when it is tried again; undefined when it was delivered, or given up. */
  done(key: string, againMs: number | undefined): void {
    this.#sending = false;
    if (againMs !== undefined) this.#awaited.set(key, againMs);
  }

  #whenFree(key: string, nowMs: number): number | undefined {
    if (this.#sending) return nowMs + SENDING_MS;
    let againMs: number | undefined;
    for (const [earlier, atMs] of this.#awaited) {
      if (atMs + LOST_AFTER_MS < nowMs) this.#awaited.delete(earlier);
      else if (earlier < key) againMs = Math.max(againMs ?? nowMs + SENDING_MS, atMs + 1);
    }
    return againMs;
  }
}
