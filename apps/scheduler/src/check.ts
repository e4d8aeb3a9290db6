import { randomUUID } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';
import {
  afterCheck,
  type CheckReport,
  dutyText,
  noteShort,
  planLimits,
  type SyncEvent,
  type SyncState,
  setAsideStuck,
} from '@vm-sync/core';
import { CHECK_OPTIONS, type CheckOrder, type Status } from '@vm-sync/queue';
import { resolveActiveSite } from '@vm-sync/runtime';
import { type CheckResult, checkGaps, type Plan } from '@vm-sync/steps';
import type { Job } from 'bullmq';
import { AFTER_WIPE_MS, withLostRepairs } from './after-wipe.ts';
import type { SchedulerContext } from './context.ts';
import { FailedChunks, shortChunks, worthRetrying } from './failed-chunks.ts';
import { describeRun, NO_WORK, type OpenWork } from './runs.ts';
import { checkSettings } from './settings.ts';
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
  const { config, log, databases, duty, memory, runs, checks, store } = context;
  const { state: remembered, redisWasWiped } = await memory.load();
  const before = redisWasWiped ? withLostRepairs(remembered, Date.now()) : remembered;
  if (redisWasWiped) log.warn('Redis has been wiped; work in progress is planned again');
  const beginning = new Beginning(context, job);
  let failed = new FailedChunks(NO_WORK);
  let identified = false;
  const result = await checkGaps(
    {
      sites: databases,
      resolveActive: () => resolveActiveSite(config.active),
      now: Date.now,
      newPair: randomUUID,
      identified: async (direction, identity) => {
        identified = true;
        await duty.know(direction, identity, before.identity.refusal !== null);
      },
      setAside: async (direction) => {
        beginning.work = await runs.openWork(direction);
        failed = new FailedChunks(beginning.work);
        if (redisWasWiped) {
          await wait(AFTER_WIPE_MS, undefined, { signal });
          await databases[direction.destination].makeVisible();
        }
        return failed;
      },
      begin: (plan, state) => beginning.begin(plan, state),
      isAwaited: async () => (await checks.getWaitingCount()) > 0,
      limits: planLimits(await store.loadRates()),
      signal,
    },
    checkSettings(config),
    before,
  );
  await doubtDuty(context, result, identified);
  const known = { ...result.state, stuck: beginning.stuck ?? result.state.stuck };
  const { state: checked, events } = afterCheck(known, result.report, config.failbackCleanChecks);
  for (const event of [...result.events, ...beginning.events, ...events]) {
    await emit(context, event);
  }
  const leftAlone = !duty.mayRepair
    ? beginning.work.failed
    : await retryFailed(context, result, beginning.work, failed, before.startedMs);
  const told = withDuty(context, checked, result.report);
  const state = await tellShort(context, told, result.report, beginning.work, leftAlone);
  if (result.report.outcome !== 'unknown') memory.forgetWipe();
  await memory.save(state);
  await store.saveStatus(statusOf(context, result.report, state));
  const text = describe(result.report, order.cause, state.consecutiveClean);
  log.info({ outcome: result.report.outcome, tookMs: result.report.tookMs }, text);
  return text;
}

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

/** Makes runs of plans while the check goes on, without what a repair did not change the last time. */
class Beginning {
  work: OpenWork = NO_WORK;
  readonly events: SyncEvent[] = [];
  /** What is remembered of repairs that changed nothing; undefined while nothing has been planned. */
  stuck: SyncState['stuck'] | undefined;
  readonly #context: SchedulerContext;
  readonly #job: Job;

  constructor(context: SchedulerContext, job: Job) {
    this.#context = context;
    this.#job = job;
  }

  async begin(plan: Plan, state: SyncState): Promise<void> {
    const { duty, log, runs } = this.#context;
    if (!duty.mayRepair) {
      await this.#job.log(`nothing is planned: ${dutyText(duty.view(), Date.now())}`);
      return;
    }
    if (plan.backfillId === null && this.work.inProgress) {
      await this.#job.log('chunks of an earlier run are still under way: nothing new is planned');
      return;
    }
    const found = setAsideStuck(this.stuck ?? state.stuck, plan.direction, plan, Date.now());
    const { toRepair } = found;
    this.stuck = found.memory;
    this.events.push(...found.events);
    if (toRepair.length === 0) return;
    const run = await runs.start({ ...plan, chunks: toRepair }, Date.now());
    log.info({ runId: run.id }, `started ${describeRun(run)}`);
    await this.#job.log(`started ${describeRun(run)}`);
  }
}

/** Tries again what is worth it; returns the failed chunks that are left alone. */
async function retryFailed(
  { log }: SchedulerContext,
  { report, state }: CheckResult,
  work: OpenWork,
  failed: FailedChunks,
  startedBefore: CheckResult['state']['startedMs'],
): Promise<Job[]> {
  if (report.outcome === 'unknown' || work.failed.length === 0) return [];
  const { destination } = report.direction;
  const earlier = startedBefore[destination];
  const restarted = earlier !== null && earlier !== state.startedMs[destination];
  const seen = { nowMs: Date.now(), moot: failed.moot(), restarted };
  const again = worthRetrying(work.failed, seen);
  for (const chunk of again) {
    await chunk.retry('failed');
    log.info({ jobId: chunk.id }, `chunk ${chunk.id} is tried again`);
  }
  return work.failed.filter((job) => !again.includes(job));
}

/**
 * Tells of chunks that failed because the destination does not have what it accepted, when nothing is under way any more:
 * all of a run in one message.
 */
async function tellShort(
  context: SchedulerContext,
  state: SyncState,
  report: CheckReport,
  { inProgress }: OpenWork,
  leftAlone: readonly Job[],
): Promise<SyncState> {
  if (report.outcome === 'unknown' || inProgress) return state;
  const short = noteShort(state.stuck, report.direction, shortChunks(leftAlone), Date.now());
  for (const event of short.events) await emit(context, event);
  return { ...state, stuck: short.memory };
}

function statusOf(
  { config }: SchedulerContext,
  report: CheckReport,
  state: CheckResult['state'],
): Status {
  const known = report.outcome === 'unknown' ? undefined : report;
  return {
    atMs: report.atMs,
    role: config.role,
    checkIntervalMs: config.checkIntervalMs,
    cleanChecksWanted: config.failbackCleanChecks,
    validUntilMs: report.atMs + report.tookMs + VALID_INTERVALS * config.checkIntervalMs,
    activeReason: report.active.reason,
    outcome: report.outcome,
    tookMs: report.tookMs,
    horizonMs: known?.horizonMs ?? null,
    sites: report.sites,
    tallied: known?.tallied ?? null,
    state,
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
  delayMs = 0,
): Promise<void> {
  await checks.add('check-gaps', { cause } satisfies CheckOrder, {
    ...CHECK_OPTIONS,
    delay: delayMs,
    deduplication: { id: `check-${cause}` },
  });
}
