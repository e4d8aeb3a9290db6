import { VmSyncError } from '@vm-sync/core';
import type { Worker } from 'bullmq';

/**
 * A process that goes on runs its timers before it writes to its sockets: this often a lost lock is looked for, so that
 * what had been handed to a socket before is not sent after all (measured: 300 kB, 13,000 samples twice).
 */
const LOOK_MS = 1_000;

/**
 * Knows when the locks of this process' jobs were last renewed. A process that was stopped and goes on later may find
 * its chunk in other hands: it must not write another byte, or the destination may get samples twice.
 */
export class LockWatch {
  readonly #lockMs: number;
  readonly #renewedMs = new Map<string, number>();

  constructor(lockMs: number) {
    this.#lockMs = lockMs;
  }

  /** Until the worker closes. */
  follow(worker: Worker): void {
    const looking = setInterval(() => {
      for (const id of this.#renewedMs.keys()) {
        if (!this.#isHeld(id)) worker.cancelJob(id, 'lock lost');
      }
    }, LOOK_MS);
    worker.once('closed', () => clearInterval(looking));
    worker.on('active', (job) => this.#renewedMs.set(job.id ?? '', performance.now()));
    worker.on('locksRenewed', ({ jobIds }) => {
      for (const id of jobIds) this.#renewed(id, performance.now());
    });
    worker.on('lockRenewalFailed', (ids) => {
      for (const id of ids) {
        this.#renewed(id, Number.NEGATIVE_INFINITY);
        worker.cancelJob(id, 'lock lost');
      }
    });
  }

  /** Throws when another worker may have taken the job. */
  assertHeld(jobId: string): void {
    if (this.#isHeld(jobId)) return;
    throw new VmSyncError(
      'retryable',
      'this worker was held up for so long that another one may have taken the chunk; nothing more was written',
    );
  }

  forget(jobId: string): void {
    this.#renewedMs.delete(jobId);
  }

  /** A job that was done in the meantime is not remembered. */
  #renewed(jobId: string, atMs: number): void {
    if (this.#renewedMs.has(jobId)) this.#renewedMs.set(jobId, atMs);
  }

  #isHeld(jobId: string): boolean {
    const renewedMs = this.#renewedMs.get(jobId);
    return renewedMs !== undefined && performance.now() - renewedMs < this.#lockMs;
  }
}
