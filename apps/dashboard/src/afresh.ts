/**
 * Gives everybody what is read after they asked, and never reads twice at a time: who asks while one reading is under way
 * shares the next one with all who do. A thousand who ask in a moment cost as much as two, and nobody is told what was true
 * before.
 */
export class Afresh<T> {
  readonly #read: () => Promise<T>;
  #running: Promise<T> | undefined;
  #next: Promise<T> | undefined;

  constructor(read: () => Promise<T>) {
    this.#read = read;
  }

  get(): Promise<T> {
    if (this.#running === undefined) return this.#begin();
    // What fails fails for those who wait as well: a Redis that is away is not waited for twice.
    this.#next ??= this.#running.then(() => this.#begin());
    return this.#next;
  }

  #begin(): Promise<T> {
    const running = this.#read();
    this.#running = running;
    this.#next = undefined;
    const rest = () => {
      this.#running = undefined;
      this.#next = undefined;
    };
    running.then(() => {
      // Where somebody waits, this one counts as under way until theirs begins.
      if (this.#next === undefined) rest();
    }, rest);
    return running;
  }
}
