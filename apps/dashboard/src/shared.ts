/**
 * What was worked out a moment ago is given to everybody who asks, and who asks meanwhile waits for the same: a hundred open pages
 * cost as much as one.
 */
export class Shared<T> {
  readonly #forMs: number;
  readonly #make: () => Promise<T>;
  #made: { readonly atMs: number; readonly value: Promise<T> } | undefined;

  constructor(forMs: number, make: () => Promise<T>) {
    this.#forMs = forMs;
    this.#make = make;
  }

  get(): Promise<T> {
    const nowMs = performance.now();
    if (this.#made && nowMs - this.#made.atMs < this.#forMs) return this.#made.value;
    const made = { atMs: nowMs, value: this.#make() };
    this.#made = made;
    made.value.catch(() => {
      if (this.#made === made) this.#made = undefined;
    });
    return made.value;
  }

  /** For acts that change it: whoever acted sees what came of it. */
  forgetAfter<A extends unknown[], R>(act: (...of: A) => R | Promise<R>): (...of: A) => Promise<R> {
    return async (...of) => {
      try {
        return await act(...of);
      } finally {
        this.#made = undefined;
      }
    };
  }
}
