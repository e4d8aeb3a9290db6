/** What happened, a line each, with the seconds since the start; on a terminal also what is waited for. */
export class Progress {
  readonly #startedMs = performance.now();
  #waiting: { text: string; timer: NodeJS.Timeout } | undefined;

  /** A heading or a note without a time. */
  say(text: string): void {
    this.#clear();
    process.stdout.write(`${text}\n`);
  }

  done(text: string): void {
    this.#line('✓', text);
  }

  /** Something that is meant to go wrong here. */
  outage(text: string): void {
    this.#line('✗', text);
  }

  /** What vm-sync itself says, in its own words. */
  quote(text: string): void {
    this.#line(' ', text);
  }

  /** Shows what is waited for until the next line; nothing where the output is no terminal. */
  wait(text: string): void {
    this.#clear();
    if (!process.stdout.isTTY) return;
    const timer = setInterval(() => this.#draw(), 250);
    this.#waiting = { text, timer };
    this.#draw();
  }

  #line(mark: string, text: string): void {
    this.#clear();
    process.stdout.write(`${this.#clock()}  ${mark} ${text}\n`);
  }

  #clock(): string {
    const seconds = Math.floor((performance.now() - this.#startedMs) / 1000);
    return `${String(seconds).padStart(4)} s`;
  }

  #draw(): void {
    if (!this.#waiting) return;
    const { text } = this.#waiting;
    const room = Math.max(20, (process.stdout.columns || 80) - 12);
    process.stdout.write(`\r\x1b[2K${this.#clock()}  … ${text.slice(0, room)}`);
  }

  #clear(): void {
    if (!this.#waiting) return;
    clearInterval(this.#waiting.timer);
    this.#waiting = undefined;
    process.stdout.write('\r\x1b[2K');
  }
}
