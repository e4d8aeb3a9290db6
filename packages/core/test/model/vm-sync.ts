import {
  type ActiveSite,
  afterCheck,
  afterRun,
  type CheckReport,
  type Chunk,
  CONFIRM_AFTER_MS,
  type DirectionKey,
  directionKey,
  directionOf,
  doneSinceStart,
  EMPTY_STATE,
  endPin,
  judgeDirection,
  judgePin,
  judgeRemembered,
  judgeTestimony,
  type LastingStep,
  mergeWindows,
  noteLasting,
  noteRepaired,
  refuseReady,
  reverse,
  type Site,
  type Step,
  type SyncEvent,
  type SyncState,
  setAsideStuck,
  type Testimony,
  type Window,
  whyNoCertificate,
} from '../../src/index.ts';
import type { CheckAnswer, CopyTrouble, Eyes, ModelPlan, ModelSettings, Trouble } from './eyes.ts';
import { EMPTY_LEDGER, type Ledger, noteCheck, type Settled } from './ledger.ts';
import { Broken } from './oracle.ts';
import { isOf, openWork, type Run } from './runs.ts';
import type { Sample, World } from './world.ts';

/**
 * vm-sync with everything outside of the core in small: the state in its two places, runs and their chunks, the witnesses
 * of the direction. Its order of doing things is that of the scheduler and the workers.
 */

export const CLEAN_CHECKS = 2;

/** The remembered state, and what it can know of the world. */
export interface Remembered {
  readonly state: SyncState;
  readonly ledger: Ledger;
}

/** Everything about a check that the properties are about. */
export interface Checked {
  readonly before: Remembered;
  /** As the check began to compare. */
  readonly begun: SyncState;
  readonly answer: CheckAnswer;
  readonly report: CheckReport;
  readonly after: Remembered;
  readonly events: readonly SyncEvent[];
  readonly lasting: LastingStep;
  readonly plans: readonly ModelPlan[];
  /** Of runs that have not settled, by direction. */
  readonly repairing: Readonly<Record<DirectionKey, readonly Window[]>>;
  /** Of runs that settled a moment before the check. */
  readonly recent: Readonly<Record<DirectionKey, readonly Window[]>>;
}

/** An answer to the question which site is active. */
export interface Heard {
  readonly says: Site | 'unknown';
  /** True when a person said so. */
  readonly sure: boolean;
  readonly atMs: number;
}

export type SaveEnd = 'saved' | 'dies before saving' | 'dies between file and redis';

export class VmSync {
  file: Remembered = { state: EMPTY_STATE, ledger: EMPTY_LEDGER };
  redis: Remembered = this.file;
  /** Every state that was saved, the oldest first. */
  readonly saved: Remembered[] = [];
  runs: Run[] = [];
  dns: Site | 'unknown' = 'primary';
  lease: Site | 'unknown' | null = null;
  /** What it heard of the direction, the newest last. */
  readonly heard: Heard[] = [];
  readonly world: World;
  readonly settings: ModelSettings;
  readonly #eyes: Eyes;
  #runs = 0;
  readonly #settled: Settled[] = [];

  constructor(world: World, settings: ModelSettings, eyes: Eyes) {
    this.world = world;
    this.settings = settings;
    this.#eyes = eyes;
  }

  load(): Remembered {
    const [a, b] = [this.redis, this.file];
    return (a.state.lastCheckMs ?? 0) >= (b.state.lastCheckMs ?? 0) ? a : b;
  }

  save(one: Remembered, end: SaveEnd = 'saved'): void {
    if (end === 'dies before saving') return;
    this.file = one;
    if (end === 'saved') this.redis = one;
    this.saved.push(one);
  }

  /** Changes the state as a job between checks does. */
  change(by: (state: SyncState) => SyncState): void {
    const { state, ledger } = this.load();
    this.save({ state: by(state), ledger });
  }

  #testimony(): Testimony {
    const { dns, lease } = this;
    return {
      atMs: this.world.clockMs,
      named: { name: 'address', says: dns, text: `DNS says ${dns}` },
      ttlMs: 5_000,
      lease: lease && { name: 'lease', says: lease, text: `owner=${lease}` },
    };
  }

  #lookAtDirection(): { before: Remembered; active: ActiveSite } {
    const { state, ledger } = this.load();
    const testimony = this.#testimony();
    const { state: current } = endPin(state, testimony.atMs);
    const { memory, active } = judgeDirection(current.direction, testimony, current.pin);
    this.heard.push({
      says: current.pin?.site ?? this.dns,
      sure: current.pin !== null,
      atMs: testimony.atMs,
    });
    const before = { state: { ...current, direction: memory }, ledger };
    this.save(before);
    return { before, active };
  }

  async check(trouble: Trouble, end: SaveEnd): Promise<Checked> {
    const { world } = this;
    const { before, active } = this.#lookAtDirection();
    const repairing: Record<DirectionKey, readonly Window[]> = {
      'primary-to-dr': [],
      'dr-to-primary': [],
    };
    let inProgress: Record<'repairs' | 'recoveries', boolean> = {
      repairs: false,
      recoveries: false,
    };
    const answer = await this.#eyes.check({
      world,
      state: before.state,
      active,
      settings: this.settings,
      trouble,
      setAside: (direction) => {
        const work = this.#openWork(false, (run) =>
          isOf(run, run.recovery ? reverse(direction) : direction, active.epoch),
        );
        inProgress = { ...inProgress, repairs: work.inProgress };
        repairing[directionKey(direction)] = work.setAside.repairing;
        return work.setAside;
      },
      setAsideRecoveries: (direction, isWanted) => {
        const work = this.#openWork(true, (run) =>
          run.recovery
            ? isWanted && isOf(run, direction, active.epoch)
            : isOf(run, reverse(direction), active.epoch),
        );
        inProgress = { ...inProgress, recoveries: work.inProgress };
        repairing[directionKey(direction)] = work.setAside.repairing;
        return work.setAside;
      },
    });
    const { report } = answer;
    let { stuck } = answer.state;
    const events = [...answer.events];
    for (const plan of answer.plans) {
      const busy = plan.recovery ? inProgress.recoveries : inProgress.repairs;
      if (!active.mayWrite || (plan.backfillId === null && busy)) continue;
      const found = setAsideStuck(stuck, plan.direction, plan, world.clockMs);
      stuck = found.memory;
      events.push(...found.events);
      if (found.toRepair.length > 0) this.#start(plan, found.toRepair, active.epoch);
    }
    const step = certified(
      afterCheck({ ...answer.state, stuck }, report, CLEAN_CHECKS),
      before.state,
      report,
    );
    events.push(...step.events);
    const lasting = noteLasting(
      step.state.believed,
      { report, events: step.events, ready: step.state.failbackReady },
      { lastsMs: 60_000, readyBackMs: 600_000 },
    );
    const { threshold } = this.settings;
    const noted = noteCheck(before.ledger, world, answer.state, report, threshold);
    const silent = trouble.endsWith('silent');
    const asked = trouble.startsWith('query') && active.site !== 'unknown';
    const failed = report.outcome === 'unknown' && (silent || asked);
    const failedMs = failed ? world.nowMs : noted.failedMs;
    const ledger = { ...noted, failedMs, told: toldAfter(before.ledger.told, report, events) };
    const after = { state: { ...step.state, believed: lasting.believed }, ledger };
    this.save(after, end);
    const recent = (key: DirectionKey) =>
      this.#settled
        .filter((one) => one.key === key && report.atMs - one.clockMs < CONFIRM_AFTER_MS)
        // What is seen after a restart has survived it.
        .filter(
          ({ atMs }) => !world.restarts[directionOf(key).destination].some((at) => at >= atMs),
        )
        .flatMap(({ windows }) => windows);
    return {
      before,
      begun: answer.state,
      answer,
      report,
      after,
      events,
      lasting,
      plans: answer.plans,
      repairing,
      recent: {
        'primary-to-dr': recent('primary-to-dr'),
        'dr-to-primary': recent('dr-to-primary'),
      },
    };
  }

  /** Runs of another direction or epoch hold no longer. */
  #openWork(recovery: boolean, holds: (run: Run) => boolean) {
    this.runs = this.runs.filter(holds);
    return openWork(this.runs, recovery);
  }

  #start({ direction, backfillId, recovery }: ModelPlan, chunks: readonly Chunk[], epoch: number) {
    this.#runs += 1;
    this.runs.push({
      id: `run ${this.#runs}`,
      direction,
      backfillId,
      recovery,
      epoch,
      heardBefore: this.heard.length,
      windows: mergeWindows(chunks.map(({ window }) => window)),
      jobs: chunks.map((chunk) => ({ chunk, state: 'waits', doneMs: 0, samples: 0 })),
    });
  }

  /** Workers take so many chunks. Answers with what was sent, to whom. */
  async work(
    most: number,
    how: CopyTrouble | 'lost after it was read back' | 'dies after the import',
    on: {
      readonly sent: (run: Run, samples: readonly Sample[]) => void;
      readonly done: (run: Run, chunk: Chunk) => void;
    },
  ): Promise<void> {
    const jobs = this.runs.flatMap((run) => run.jobs.map((job) => ({ run, job })));
    const open = jobs.filter(({ job }) => job.state !== 'done').slice(0, most);
    for (const { run, job } of open) {
      job.state = 'waits';
      if (this.#whyNotHeld(run) !== undefined) {
        job.state = 'failed';
        continue;
      }
      const { destination } = run.direction;
      const sent: Sample[] = [];
      const trouble =
        how === 'drops every second sample' || how === 'connection cut' ? how : 'nothing';
      const send = (samples: readonly Sample[]) => {
        on.sent(run, samples);
        sent.push(...samples);
        this.world.accept(destination, samples, run.id);
      };
      try {
        const { world } = this;
        const { direction } = run;
        job.samples = await this.#eyes.repair({
          world,
          direction,
          chunk: job.chunk,
          trouble,
          send,
        });
        on.done(run, job.chunk);
        if (how === 'dies after the import') continue;
        job.state = 'done';
        job.doneMs = world.clockMs;
      } catch (error) {
        if (error instanceof Broken) throw error;
        job.state = 'failed';
      }
      if (how === 'lost after it was read back') this.world.lose(destination, sent);
    }
  }

  /** Of what a restored state knows nothing, it is not asked. */
  restore(one: Remembered): void {
    this.save(one);
    this.runs = [];
    this.#settled.length = 0;
    const { site, confirmed, firstEqualMs } = one.state.direction;
    if (site === null) return;
    this.heard.push({ says: site, sure: confirmed, atMs: firstEqualMs ?? this.world.clockMs });
  }

  #whyNotHeld(run: Run): string | undefined {
    const { state } = this.redis;
    const remembered = judgeRemembered(run, state);
    if (remembered.kind !== 'holds') return remembered.why;
    const pinned = judgePin(run, state.pin, this.world.clockMs);
    const judged = pinned ?? judgeTestimony(run, this.#testimony());
    return judged.kind === 'holds' ? undefined : judged.why;
  }

  /** Settles runs whose chunks are done. */
  settle(
    how: 'once' | 'twice' | SaveEnd,
    onSettled: (before: SyncState, after: SyncState, twice: boolean) => void,
  ) {
    const { clockMs: atMs } = this.world;
    const done = this.runs.filter(({ jobs }) => jobs.every(({ state }) => state === 'done'));
    for (const run of done) {
      const { id, direction, windows, backfillId, recovery, jobs } = run;
      const samples = jobs.reduce((sum, job) => sum + job.samples, 0);
      const { state, ledger } = this.load();
      const settled = { id, atMs, direction, windows, samples, bytes: 0, backfillId, recovery };
      const after = afterRun(state, settled);
      if (how === 'twice') onSettled(after, afterRun(after, { ...settled, atMs: atMs + 1 }), true);
      const chunks = doneSinceStart(jobs, after.startedMs[direction.destination]);
      const noted = { ...after, stuck: noteRepaired(after.stuck, direction, chunks, atMs) };
      onSettled(state, noted, false);
      const settling = {
        key: directionKey(direction),
        windows,
        clockMs: atMs,
        atMs: this.world.nowMs,
      };
      const known = new Map(ledger.settled).set(id, settling);
      const end = how === 'once' || how === 'twice' ? 'saved' : how;
      this.save({ state: noted, ledger: { ...ledger, settled: known } }, end);
      if (end !== 'saved') continue;
      this.runs = this.runs.filter((one) => one !== run);
      this.#settled.push(settling);
    }
  }
}

function certified(step: Step, before: SyncState, report: CheckReport): Step {
  if (!step.state.failbackReady) return step;
  const why = whyNoCertificate(step.state, report);
  return why === undefined ? step : refuseReady(step, before, `no certificate: ${why}`);
}

function toldAfter(
  told: DirectionKey | null,
  report: CheckReport,
  events: readonly SyncEvent[],
): DirectionKey | null {
  if (report.outcome === 'unknown') return told;
  const key = directionKey(report.direction);
  if (events.some(({ kind }) => kind === 'gap-detected')) return key;
  if (events.some(({ kind }) => kind === 'sync-complete')) return null;
  // The gaps of another direction are not spoken of any more.
  return told === key ? told : null;
}
