import { VmSyncError } from '@vm-sync/core';
import type { Worker } from 'bullmq';

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

  follow(worker: Worker): void {
    worker.on('active', (job) => this.#renewedMs.set(job.id ?? '', performance.now()));
    worker.on('locksRenewed', ({ jobIds }) => {
      for (const id of jobIds) this.#renewedMs.set(id, performance.now());
    });
    worker.on('lockRenewalFailed', (ids) => {
      for (const id of ids) {
        this.#renewedMs.set(id, Number.NEGATIVE_INFINITY);
        worker.cancelJob(id, 'lock lost');
      }
    });
  }

  /** Throws when another worker may have taken the job. */
  assertHeld(jobId: string): void {
    const renewedMs = this.#renewedMs.get(jobId);
    if (renewedMs !== undefined && performance.now() - renewedMs < this.#lockMs) return;
    throw new VmSyncError(
      'retryable',
      'this worker was held up for so long that another one may have taken the chunk; nothing more was written',
    );
  }

  forget(jobId: string): void {
    this.#renewedMs.delete(jobId);
  }
}
