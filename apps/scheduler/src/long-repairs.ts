import { errorText, isLongRepair } from '@vm-sync/core';
import { loadProgress } from '@vm-sync/queue';
import type { SchedulerContext } from './context.ts';
import { emit } from './tell.ts';

const LOOK_EVERY_MS = 30_000;

/** Tells once of every repair that takes long, with the time that is left; of a backfill once, however many runs it has. */
export class LongRepairs {
  readonly #context: SchedulerContext;
  #timer: NodeJS.Timeout | undefined;

  constructor(context: SchedulerContext) {
    this.#context = context;
  }

  start(): void {
    this.#timer = setInterval(() => {
      this.look(Date.now()).catch((error) => {
        this.#context.log.debug({ err: errorText(error) }, 'long repairs');
      });
    }, LOOK_EVERY_MS);
  }

  close(): void {
    clearInterval(this.#timer);
  }

  async look(nowMs: number): Promise<void> {
    const { store, paces } = this.#context;
    const { runs } = await loadProgress(store, undefined, nowMs);
    for (const { run, progress } of runs) {
      const work = { beganMs: run.createdMs, progress };
      if (run.state !== 'open' || !isLongRepair(work, nowMs)) continue;
      // Noted first: a message that a crash loses is better than one at every start.
      if (!(await store.noteOnce(`long-repair ${run.backfillId ?? run.id}`))) continue;
      const slow = (await paces.load())?.pace.reason ?? null;
      const { direction, id: runId, createdMs: sinceMs } = run;
      await emit(this.#context, {
        kind: 'repair-under-way',
        direction,
        runId,
        sinceMs,
        progress,
        slow,
      });
    }
  }
}
