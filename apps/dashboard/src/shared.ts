import { Afresh } from './afresh.ts';

/**
 * What was worked out a moment ago is given to everybody who asks, and who asks meanwhile waits for the same: a hundred open pages
 * cost as much as one.
 */
export class Shared<T> {
  readonly #forMs: number;
  readonly #afresh: Afresh<T>;
  #made: { readonly atMs: number; readonly value: Promise<T> } | undefined;

  constructor(forMs: number, make: () => Promise<T>) {
    this.#forMs = forMs;
    this.#afresh = new Afresh(make);
  }

  get(): Promise<T> {
    const isRecent = this.#made && performance.now() - this.#made.atMs < this.#forMs;
    return isRecent && this.#made ? this.#made.value : this.renew();
  }

  /** Works it out from now on, for the others as well. */
  renew(): Promise<T> {
    const value = this.#afresh.get();
    if (this.#made?.value === value) return value;
    const made = { atMs: performance.now(), value };
    this.#made = made;
    value.catch(() => {
      if (this.#made === made) this.#made = undefined;
    });
    return value;
  }
}
