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
    const isRecent = this.#made && performance.now() - this.#made.atMs < this.#forMs;
    return isRecent && this.#made ? this.#made.value : this.renew();
  }

  /** Works it out now, for the others as well. */
  renew(): Promise<T> {
    const made = { atMs: performance.now(), value: this.#make() };
    this.#made = made;
    made.value.catch(() => {
      if (this.#made === made) this.#made = undefined;
    });
    return made.value;
  }
}
