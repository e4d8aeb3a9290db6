import { setTimeout as sleep } from 'node:timers/promises';
import {
  type Direction,
  directionFrom,
  errorText,
  nextPace,
  type Pace,
  resumedPace,
  type SiteReading,
  withoutNumbers,
} from '@vm-sync/core';
import type { SchedulerContext } from './context.ts';
import { emit } from './tell.ts';

/** While there is something to repair the databases are looked at this often; workers believe a pace for 30 s. */
const TICK_MS = 5_000;

/** With nothing to repair, and nothing to be found out, the databases are left in peace. */
const IDLE_MS = 60_000;

/** A look that takes longer than this is no reading. */
const LOOK_MOST_MS = 15_000;

/** Of the newest runs so many are looked at for one that is open. */
const RUNS_READ = 20;

/** Sets the pace of all repairs by what both databases bear: copies at a time, bytes per second, or none at all. */
export class Governor {
  readonly #context: SchedulerContext;
  readonly #closing = new AbortController();
  #pace: Pace | undefined;
  #lookedMs = Number.NEGATIVE_INFINITY;

  constructor(context: SchedulerContext) {
    this.#context = context;
  }

  /** Governs until it is closed. */
  async run(): Promise<void> {
    const { signal } = this.#closing;
    while (!signal.aborted) {
      try {
        await this.tick();
      } catch (error) {
        this.#context.log.debug({ err: error }, 'the pace could not be set');
      }
      await sleep(TICK_MS, undefined, { signal }).catch(() => {});
    }
  }

  /** Does not wait for a look that is under way: it changes nothing any more. */
  close(): void {
    this.#closing.abort();
  }

  /** One look at the databases, where one is due, and its consequences. Answers with the pace. */
  async tick(): Promise<Pace> {
    const { config, paces, repairs } = this.#context;
    const before = this.#pace ?? resumedPace(config.paceLimits, (await paces.load())?.pace);
    const direction = (await this.#isDue(before)) ? await this.#direction() : undefined;
    const pace = direction
      ? nextPace(before, await this.#readings(direction), config.paceLimits)
      : before;
    // What was cut off by our own end is no reading.
    this.#closing.signal.throwIfAborted();
    if (direction) this.#lookedMs = performance.now();
    // Without words, and every time: a wiped Redis knows no limit.
    await repairs.setGlobalConcurrency(pace.copies);
    await this.#tell(before, pace);
    await paces.save(pace);
    this.#pace = pace;
    return pace;
  }

  async #isDue({ copies, stopped }: Pace): Promise<boolean> {
    const { config, repairs } = this.#context;
    if (stopped || copies < config.paceLimits.maxCopies) return true;
    if (performance.now() - this.#lookedMs >= IDLE_MS) return true;
    const work = await repairs.getJobCountByTypes('active', 'wait', 'prioritized', 'delayed');
    return work > 0;
  }

  /** What is being repaired, or would be; undefined while that is not known: then nothing is written anyway. */
  async #direction(): Promise<Direction | undefined> {
    const { store } = this.#context;
    const open = (await store.listRuns(RUNS_READ)).find(({ state }) => state === 'open');
    if (open) return open.direction;
    const active = (await store.loadStatus())?.state.activeSite ?? 'unknown';
    return active === 'unknown' ? undefined : directionFrom(active);
  }

  async #readings({ source, destination }: Direction): Promise<SiteReading[]> {
    const busy = await this.#context.paces.takeBusy();
    const look = async (site: Direction['source']) => {
      const load = await this.#look(site);
      return { site, atMs: Date.now(), load, busyAnswers: busy[site] };
    };
    const [from, to] = await Promise.all([look(source), look(destination)]);
    return [
      { ...to, role: 'destination' },
      { ...from, role: 'source' },
    ];
  }

  async #look(site: Direction['source']): Promise<SiteReading['load']> {
    const late = AbortSignal.timeout(LOOK_MOST_MS);
    try {
      return await this.#context.databases[site].load(
        AbortSignal.any([late, this.#closing.signal]),
      );
    } catch (error) {
      return errorText(error);
    }
  }

  /** Every slowness has one line in the log, however long it lasts; a stop is an event. */
  async #tell(before: Pace, pace: Pace): Promise<void> {
    const { log } = this.#context;
    if (pace.stopped && !before.stopped) {
      await emit(this.#context, { kind: 'repairs-stopped', reason: pace.reason ?? '' });
    } else if (!pace.stopped && before.stopped) {
      await emit(this.#context, { kind: 'repairs-go-on', reason: pace.reason });
    } else if (withoutNumbers(pace.reason ?? '') !== withoutNumbers(before.reason ?? '')) {
      const text = pace.reason ?? `full speed: ${pace.copies} copies at a time`;
      log.info({ copies: pace.copies }, `repairs: ${text}`);
    }
  }
}
