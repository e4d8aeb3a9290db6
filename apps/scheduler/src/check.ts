import { randomBytes } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';
import {
  type ActiveSite,
  afterCheck,
  type CheckReport,
  type Direction,
  dutyText,
  noteLasting,
  noteShort,
  planLimits,
  reverse,
  type SyncEvent,
  type SyncState,
  setAsideStuck,
  worstGroups,
} from '@vm-sync/core';
import {
  CHECK_OPTIONS,
  type CheckOrder,
  ChunkOrder,
  type RunCause,
  type Status,
} from '@vm-sync/queue';
import { type CheckResult, checkGaps, type Plan } from '@vm-sync/steps';
import type { Job } from 'bullmq';
import { AFTER_WIPE_MS, withLostRepairs } from './after-wipe.ts';
import { type Certified, certify } from './certify.ts';
import { retryAll } from './chunks-of.ts';
import type { SchedulerContext } from './context.ts';
import { confirmInMs, lookAtDirection } from './direction.ts';
import { FailedChunks, shortChunks, worthRetrying } from './failed-chunks.ts';
import { sendNotice } from './notify.ts';
import { rememberCheck } from './remember-check.ts';
import { describeRun, NO_WORK, type OpenWork } from './runs.ts';
import { checkSettings, lastingLimits } from './settings.ts';
import { emit } from './tell.ts';

/** Readiness expires when no check has confirmed it for this many intervals. */
const VALID_INTERVALS = 3;

/** The `check-gaps` job: one check, its consequences for the state, and runs for what is missing. */
export async function runCheck(
  context: SchedulerContext,
  order: CheckOrder,
  job: Job,
  signal: AbortSignal,
): Promise<string> {
  const { config, log, databases, duty, memory, runs, checks, store, totals } = context;
  const { state: remembered, redisWasWiped } = await memory.load();
  const { state: looked, active } = await lookAtDirection(context, remembered, redisWasWiped);
  const before = redisWasWiped ? withLostRepairs(looked, Date.now()) : looked;
  if (redisWasWiped) log.warn('Redis has been wiped; work in progress is planned again');
  const calledOff = new AbortController();
  const assertNotWiped = async () => {
    if (await memory.wasWipedSince()) calledOff.abort(new WipedError());
    calledOff.signal.throwIfAborted();
  };
  const beginning = new Beginning(context, job, order, active, assertNotWiped);
  let identified = false;
  const result = await checkGaps(
    {
      sites: databases,
      resolveActive: async () => active,
      now: Date.now,
      newPair: newPairName,
      identified: async (direction, identity) => {
        identified = true;
        await duty.know(direction, identity, before.identity.refusal !== null);
      },
      setAside: async (direction) => {
        beginning.repairs = new Unfinished(await runs.openWork(direction, active.epoch));
        // Otherwise nothing would seem to be under way, while a worker goes on copying.
        await assertNotWiped();
        if (redisWasWiped) {
          await wait(AFTER_WIPE_MS, undefined, { signal });
          await databases[direction.destination].makeVisible();
        }
        return beginning.repairs.failed;
      },
      setAsideRecoveries: async (direction, isWanted) => {
        const work = await runs.openRecoveries(direction, active.epoch, isWanted);
        beginning.recoveries = new Unfinished(work);
        await assertNotWiped();
        if (redisWasWiped) await databases[direction.destination].makeVisible();
        return beginning.recoveries.failed;
      },
      begin: (plan, state) => beginning.begin(plan, state),
      isAwaited: async () => (await checks.getWaitingCount()) > 0,
      limits: planLimits(await store.loadRates()),
      mapLabels: config.gapMapLabels,
      signal: AbortSignal.any([signal, calledOff.signal]),
    },
    checkSettings(config),
    before,
  );
  // Held up for longer than its lock, it speaks of a time that another scheduler has looked at since.
  signal.throwIfAborted();
  await doubtDuty(context, result, identified);
  const known = { ...result.state, stuck: beginning.stuck ?? result.state.stuck };
  const validUntilMs = validUntil(config, result.report);
  const { step, records } = await certify(context, {
    before: remembered,
    step: afterCheck(known, result.report, config.failbackCleanChecks),
    report: result.report,
    validUntilMs,
    signal,
  });
  const { state: checked, events } = step;
  const lasting = noteLasting(
    checked.believed,
    { report: result.report, events, ready: checked.failbackReady },
    lastingLimits(config),
  );
  for (const told of [...result.events, ...beginning.events, ...events, ...lasting.events]) {
    const event = withGroups(told, result);
    await emit(context, event, {
      isKnown: event.kind === 'failback-ready' && lasting.readyIsKnown,
    });
  }
  for (const notice of lasting.due) await sendNotice(context, notice);
  context.twinsAtStart.say(log, result.report.twins, events);
  const told = withDuty(context, { ...checked, believed: lasting.believed }, result.report);
  const state = await afterFailures(context, told, result, beginning, before.startedMs);
  if (result.report.outcome !== 'unknown') memory.forgetWipe();
  // Also while it told of it; a scheduler that is being stopped remembers what it has told.
  if (signal.aborted && signal.reason !== 'shutdown') throw signal.reason;
  await memory.save(state);
  await rememberCheck(context, result, state);
  await store.saveStatus(statusOf(context, result.report, { state, records, validUntilMs }));
  await totals.addCheck(result.report.outcome);
  const confirmMs = confirmInMs(state, Date.now(), config.checkIntervalMs);
  if (confirmMs !== undefined) await requestCheck(context, 'direction', { delayMs: confirmMs });
  const text = describe(result.report, order.cause, state.consecutiveClean);
  const { outcome, tookMs } = result.report;
  // Why it is unknown has been told, once, as an event.
  log.info({ outcome, tookMs }, outcome === 'unknown' ? `check (${order.cause}): unknown` : text);
  return text;
}

/** What is missing is named where the check has drawn a map of it. */
const withGroups = (event: SyncEvent, { gapMap }: CheckResult): SyncEvent =>
  event.kind === 'gap-detected' && gapMap ? { ...event, about: worstGroups(gapMap) } : event;

/** Short, because it becomes the value of a label: servers may be told to drop series with long ones. */
const newPairName = (): string => randomBytes(6).toString('hex');

/** What keeps a check from knowing the sites keeps its vm-sync from repairing, sooner or later. */
async function doubtDuty(
  { duty }: SchedulerContext,
  { report, state }: CheckResult,
  identified: boolean,
): Promise<void> {
  if (report.outcome !== 'unknown') return;
  const { refusal } = state.identity;
  if (refusal !== null) await duty.refuse(refusal);
  else if (!identified) await duty.doubt(report.reason);
}

/** Gaps that nobody here repairs: people are told who does, or why nobody does. */
function withDuty({ duty }: SchedulerContext, state: SyncState, report: CheckReport): SyncState {
  if (report.outcome === 'unknown' || report.tallied.gaps === 0 || duty.mayRepair) return state;
  const reason = `this vm-sync ${dutyText(duty.view(), Date.now())}`;
  return { ...state, reasons: [...state.reasons, reason] };
}

/** Redis was wiped after a check had read from it: the check finds out nothing, and the next one begins anew. */
class WipedError extends Error {
  override name = 'WipedError';
  override message = 'Redis was wiped in the middle of this check; the next one begins anew';
}

/** What is left of earlier runs, and its failed chunks as this check sees them. */
class Unfinished {
  readonly work: OpenWork;
  readonly failed: FailedChunks;

  constructor(work: OpenWork) {
    this.work = work;
    this.failed = new FailedChunks(work);
  }
}

/** Makes runs of plans while the check goes on, without what a repair did not change the last time. */
class Beginning {
  repairs = new Unfinished(NO_WORK);
  recoveries = new Unfinished(NO_WORK);
  readonly events: SyncEvent[] = [];
  /** What is remembered of repairs that changed nothing; undefined while nothing has been planned. */
  stuck: SyncState['stuck'] | undefined;
  readonly #context: SchedulerContext;
  readonly #job: Job;
  readonly #order: CheckOrder;
  readonly #active: ActiveSite;
  readonly #assertNotWiped: () => Promise<void>;

  constructor(
    context: SchedulerContext,
    job: Job,
    order: CheckOrder,
    active: ActiveSite,
    assertNotWiped: () => Promise<void>,
  ) {
    this.#context = context;
    this.#job = job;
    this.#order = order;
    this.#active = active;
    this.#assertNotWiped = assertNotWiped;
  }

  async begin(plan: Plan, state: SyncState): Promise<void> {
    const { duty, log, runs, store } = this.#context;
    const { whyNoWriting, epoch } = this.#active;
    if (whyNoWriting !== null) {
      await this.#job.log(`no run is started: ${whyNoWriting}`);
      return;
    }
    if (!duty.mayRepair) {
      await this.#job.log(`no run is started: this vm-sync ${dutyText(duty.view(), Date.now())}`);
      return;
    }
    const { work } = plan.recovery ? this.recoveries : this.repairs;
    if (plan.backfillId === null && work.inProgress) {
      await this.#job.log('chunks of an earlier run are still under way: nothing new is planned');
      return;
    }
    const found = setAsideStuck(this.stuck ?? state.stuck, plan.direction, plan, Date.now());
    const { toRepair } = found;
    this.stuck = found.memory;
    this.events.push(...found.events);
    if (toRepair.length === 0) return;
    await this.#assertNotWiped();
    const cause = this.#causeOf(plan, state);
    const run = await runs.start({ ...plan, chunks: toRepair, cause }, epoch, Date.now());
    try {
      await this.#assertNotWiped();
    } catch (error) {
      // Its chunks read this before they write anything.
      await store.saveRun({ ...run, state: 'superseded' });
      throw error;
    }
    log.info({ runId: run.id }, `started ${describeRun(run)}`);
    await this.#job.log(`started ${describeRun(run)}`);
  }

  /** Whoever asked for the backfill or the reconcile, else for the check. */
  #causeOf({ backfillId, recovery }: Plan, { backfills, reconcile }: SyncState): RunCause {
    const { cause: reason, who } = this.#order;
    const backfill = backfills.find(({ id }) => id === backfillId);
    const wish = recovery && reconcile?.state === 'open' ? reconcile : backfill;
    return { checkId: this.#job.id ?? '', reason, who: wish ? (wish.who ?? null) : (who ?? null) };
  }
}

/** Tries failed chunks again where that is worth it, and tells of the others, those of repairs and of recoveries. */
async function afterFailures(
  context: SchedulerContext,
  checked: SyncState,
  { report, state: known }: CheckResult,
  { repairs, recoveries }: Beginning,
  startedBefore: SyncState['startedMs'],
): Promise<SyncState> {
  if (report.outcome === 'unknown') return checked;
  const { direction, active } = report;
  const compared = report.surplus?.compared ?? [];
  let state = checked;
  for (const { of, into, moot } of [
    { of: repairs, into: direction, moot: repairs.failed.moot() },
    {
      of: recoveries,
      into: reverse(direction),
      moot: recoveries.failed.mootWithin(compared),
    },
  ]) {
    const earlier = startedBefore[into.destination];
    const restarted = earlier !== null && earlier !== known.startedMs[into.destination];
    const leftAlone =
      active.mayWrite && context.duty.mayRepair
        ? await retryFailed(context, of.work, { moot, restarted })
        : of.work.failed;
    state = await tellShort(context, state, into, of.work, leftAlone);
  }
  return state;
}

/** Tries again what is worth it; returns the failed chunks that are left alone. */
async function retryFailed(
  { log }: SchedulerContext,
  work: OpenWork,
  seen: { readonly moot: readonly Job[]; readonly restarted: boolean },
): Promise<Job[]> {
  const again = worthRetrying(work.failed, { nowMs: Date.now(), ...seen });
  for (const chunk of await retryAll(again)) {
    const { runId } = ChunkOrder.safeParse(chunk.data).data ?? {};
    log.info({ runId, jobId: chunk.id }, `chunk ${chunk.id} is tried again`);
  }
  const gone = new Set(again);
  return work.failed.filter((job) => !gone.has(job));
}

/**
 * Tells of chunks that failed because the destination does not have what it accepted, when nothing is under way any more:
 * all of a run in one message.
 */
async function tellShort(
  context: SchedulerContext,
  state: SyncState,
  direction: Direction,
  { inProgress }: OpenWork,
  leftAlone: readonly Job[],
): Promise<SyncState> {
  if (inProgress) return state;
  const short = noteShort(state.stuck, direction, shortChunks(leftAlone), Date.now());
  for (const event of short.events) await emit(context, event);
  return { ...state, stuck: short.memory };
}

/** Readiness, and the certificate that it rests on. */
const validUntil = (
  { checkIntervalMs }: SchedulerContext['config'],
  { atMs, tookMs }: CheckReport,
): number => atMs + tookMs + VALID_INTERVALS * checkIntervalMs;

function statusOf(
  { config }: SchedulerContext,
  report: CheckReport,
  {
    state,
    records,
    validUntilMs,
  }: Pick<Status, 'state' | 'validUntilMs'> & Pick<Certified, 'records'>,
): Status {
  const known = report.outcome === 'unknown' ? undefined : report;
  return {
    atMs: report.atMs,
    role: config.role,
    checkIntervalMs: config.checkIntervalMs,
    cleanChecksWanted: config.failbackCleanChecks,
    validUntilMs,
    activeReason: report.active.reason,
    active: report.active,
    outcome: report.outcome,
    tookMs: report.tookMs,
    horizonMs: known?.horizonMs ?? null,
    sites: report.sites,
    twins: report.twins,
    tallied: known?.tallied ?? null,
    state,
    certificates: [...records],
  };
}

function describe(report: CheckReport, cause: CheckOrder['cause'], clean: number): string {
  if (report.outcome === 'unknown') return `check (${cause}): unknown: ${report.reason}`;
  const { gaps, missing, series, sourceSamples } = report.tallied;
  const compared = `${series} series, ${sourceSamples} samples compared in ${report.tookMs} ms`;
  if (gaps > 0) return `check (${cause}): ${gaps} gaps, ${missing} samples missing; ${compared}`;
  const proof =
    clean > 0 ? `clean (${clean} in a row)` : 'nothing missing, but not all is proven yet';
  return `check (${cause}): ${proof}; ${compared}`;
}

/** Asks for a check as soon as possible; several wishes at once are one check. */
export async function requestCheck(
  { checks }: Pick<SchedulerContext, 'checks'>,
  cause: CheckOrder['cause'],
  { delayMs = 0, who }: { readonly delayMs?: number; readonly who?: string | undefined } = {},
): Promise<void> {
  await checks.add('check-gaps', { cause, who } satisfies CheckOrder, {
    ...CHECK_OPTIONS,
    delay: delayMs,
    deduplication: { id: `check-${cause}` },
  });
}
