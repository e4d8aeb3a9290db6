import { formatDirection, formatWindow } from '@vm-sync/core';
import type { ChunkOrder } from '@vm-sync/queue';
import type { Logger } from '@vm-sync/runtime';
import type { Job } from 'bullmq';

/** Progress is for people: more often than this it would only load Redis. */
const PROGRESS_EVERY_MS = 1_000;

/** What a job tells of itself: log lines on the board and in the process' log, and its progress. */
export class Diary {
  readonly #job: Job;
  readonly #log: Logger;
  readonly #prefix: string;
  #pending: Promise<unknown> = Promise.resolve();
  #bytes = 0;
  #toldMs = 0;

  constructor(job: Job, order: ChunkOrder, log: Logger) {
    this.#job = job;
    this.#log = log.child({ runId: order.runId, jobId: job.id });
    this.#prefix = `try ${job.attemptsStarted}`;
    const { selectors, window, samples } = order.chunk;
    const what = selectors.length === 1 ? selectors[0] : `${selectors.length} selectors`;
    this.say(
      `repair ${formatDirection(order.direction)}, ${formatWindow(window)}, ${what}, ${samples} samples`,
    );
  }

  say(text: string, severity: 'info' | 'warn' = 'info'): void {
    this.#log[severity](text);
    const line = `${new Date().toISOString()} ${this.#prefix}: ${text}`;
    this.#write(() => this.#job.log(line));
  }

  moved(bytes: number): void {
    this.#bytes += bytes;
    const nowMs = Date.now();
    if (nowMs - this.#toldMs < PROGRESS_EVERY_MS) return;
    this.#toldMs = nowMs;
    this.#progress({ bytes: this.#bytes });
  }

  async end(text: string, severity: 'info' | 'warn' = 'info'): Promise<void> {
    this.say(text, severity);
    await this.#pending;
  }

  /** How often earlier tries of this chunk were too slow. */
  timeouts(): number {
    return Number(this.#before()['timeouts'] ?? 0);
  }

  async countTimeout(): Promise<void> {
    this.#progress({ timeouts: this.timeouts() + 1 });
    await this.#pending;
  }

  /** Leaves word that the destination accepted the samples and does not have them. */
  async markShort(): Promise<void> {
    this.#progress({ short: true });
    await this.#pending;
  }

  /** Leaves word whether another site than the order's source was active at the last try. */
  async markTurned(turned: boolean): Promise<void> {
    if (turned === (this.#before()['turned'] ?? false)) return;
    this.#progress({ turned });
    await this.#pending;
  }

  #before(): Record<string, unknown> {
    const { progress } = this.#job;
    return typeof progress === 'object' ? (progress as Record<string, unknown>) : {};
  }

  #progress(more: Record<string, unknown>): void {
    const progress = { ...this.#before(), ...more };
    this.#write(() => this.#job.updateProgress(progress));
  }

  /** In order, and without holding up the copy; a job that is gone has no diary. */
  #write(act: () => Promise<unknown>): void {
    this.#pending = this.#pending.then(act).catch((error: Error) => {
      this.#log.debug({ err: error }, "a line of the job's own log was lost");
    });
  }
}
