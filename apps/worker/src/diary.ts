import { chunkProgress, formatDirection, formatWindow } from '@vm-sync/core';
import type { ChunkOrder } from '@vm-sync/queue';
import type { Logger } from '@vm-sync/runtime';
import type { Job } from 'bullmq';

/** Progress is for people: more often than this it would only load Redis. */
const PROGRESS_EVERY_MS = 1_000;

/**
 * What a job tells of itself: log lines on the board and in the process' log, and its progress: a sentence that the
 * board shows (`says`), a share that it draws (`progress`), and marks for the next try.
 */
export class Diary {
  readonly #job: Job;
  readonly #log: Logger;
  readonly #clean: (text: string) => string;
  readonly #prefix: string;
  readonly #planned: number;
  #pending: Promise<unknown> = Promise.resolve();
  #progress: Readonly<Record<string, unknown>>;
  #bytes = 0;
  #samples: number | undefined = 0;
  #toldMs = 0;

  /** `clean` takes out secrets: servers may repeat what they were sent. */
  constructor(job: Job, order: ChunkOrder, log: Logger, clean: (text: string) => string) {
    this.#job = job;
    this.#log = log.child({ runId: order.runId, jobId: job.id });
    this.#clean = clean;
    this.#prefix = `try ${job.attemptsStarted}`;
    const { selectors, window, samples } = order.chunk;
    this.#planned = samples;
    this.#progress = typeof job.progress === 'object' ? { ...job.progress } : {};
    const what = selectors.length === 1 ? selectors[0] : `${selectors.length} selectors`;
    this.#line(
      `repair ${formatDirection(order.direction)}, ${formatWindow(window)}, ${what}, ${samples} samples`,
    );
    this.#tell({ says: 'looking at what is missing now', progress: 0 });
  }

  /** A line for both logs, and what the progress says until more is known. */
  say(text: string, severity: 'info' | 'warn' | 'error' = 'info'): void {
    this.#tell({ says: this.#line(text, severity) });
  }

  /** A line for the board only, as it is. */
  note(line: string): void {
    this.#write(() => this.#job.log(line));
  }

  /** A part is about to be sent; of native blocks the samples are not known. */
  moved(bytes: number, samples: number | undefined): void {
    this.#bytes += bytes;
    this.#samples =
      samples === undefined || this.#samples === undefined ? undefined : this.#samples + samples;
    const nowMs = Date.now();
    if (nowMs - this.#toldMs < PROGRESS_EVERY_MS) return;
    this.#toldMs = nowMs;
    const copied = { planned: this.#planned, samples: this.#samples, bytes: this.#bytes };
    this.#tell({ ...chunkProgress(copied) });
  }

  async end(text: string, severity: 'info' | 'warn' | 'error' = 'info'): Promise<void> {
    this.say(text, severity);
    await this.#pending;
  }

  /** Everything that was told stands in Redis. */
  async written(): Promise<void> {
    await this.#pending;
  }

  /** Everything is there. */
  async done(text: string): Promise<void> {
    this.say(text);
    this.#tell({ progress: 100 });
    await this.#pending;
  }

  /** How often earlier tries of this chunk were too slow. */
  timeouts(): number {
    return Number(this.#progress['timeouts'] ?? 0);
  }

  async countTimeout(): Promise<void> {
    this.#tell({ timeouts: this.timeouts() + 1 });
    await this.#pending;
  }

  /** Leaves word that the destination accepted the samples and does not have them. */
  async markShort(): Promise<void> {
    this.#tell({ short: true });
    await this.#pending;
  }

  /** Leaves word whether another site than the order's source was active at the last try. */
  async markTurned(turned: boolean): Promise<void> {
    if (turned === (this.#progress['turned'] ?? false)) return;
    this.#tell({ turned });
    await this.#pending;
  }

  /** A line for both logs; gives back what it says there. */
  #line(text: string, severity: 'info' | 'warn' | 'error' = 'info'): string {
    const clean = this.#clean(text);
    this.#log[severity](clean);
    this.note(`${new Date().toISOString()} ${this.#prefix}: ${clean}`);
    return clean;
  }

  #tell(more: Readonly<Record<string, unknown>>): void {
    const progress = { ...this.#progress, ...more };
    this.#progress = progress;
    this.#write(() => this.#job.updateProgress(progress));
  }

  /** In order, and without holding up the copy; a job that is gone has no diary. */
  #write(act: () => Promise<unknown>): void {
    this.#pending = this.#pending.then(act).catch((error: Error) => {
      this.#log.debug({ err: error }, "a line of the job's own log was lost");
    });
  }
}
