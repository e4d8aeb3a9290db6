/** Lets so many tasks run at a time, and so many wait; the rest are refused, so that nothing piles up. */
export class Gate {
  readonly #atOnce: number;
  readonly #waitingMost: number;
  #running = 0;
  readonly #waiting: (() => void)[] = [];

  constructor(atOnce: number, waitingMost: number) {
    this.#atOnce = atOnce;
    this.#waitingMost = waitingMost;
  }

  /** Undefined when the task was refused. */
  async run<T>(task: () => Promise<T>): Promise<T | undefined> {
    if (this.#running < this.#atOnce) this.#running += 1;
    else if (this.#waiting.length >= this.#waitingMost) return undefined;
    // Whoever leaves hands its place on, so `running` stays as it is.
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    try {
      return await task();
    } finally {
      const next = this.#waiting.shift();
      if (next) next();
      else this.#running -= 1;
    }
  }
}
