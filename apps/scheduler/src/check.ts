import {
  afterCheck,
  type CheckReport,
  directionFrom,
  directionKey,
  type RecentRepair,
  requestBackfill,
  SITES,
  type SyncState,
} from '@vm-sync/core';
import { CHECK_OPTIONS, type CheckOrder, type Status } from '@vm-sync/queue';
import { resolveActiveSite } from '@vm-sync/runtime';
import { type CheckResult, checkGaps } from '@vm-sync/steps';
import type { Job, Queue } from 'bullmq';
import type { SchedulerContext } from './context.ts';
import { describeRun, FailedChunks, NO_WORK, type OpenWork, worthRetrying } from './runs.ts';
import { checkSettings } from './settings.ts';
import { emit } from './tell.ts';

/**
 * A worker whose job was wiped away goes on until its lock cannot be renewed; what it imports meanwhile would be copied
 * a second time.
 */
const AFTER_WIPE_MS = 25_000;

/** Readiness expires when no check has confirmed it for this many intervals. */
const VALID_INTERVALS = 3;

/** The `check-gaps` job: one check, its consequences for the state, and a run for what is missing. */
export async function runCheck(
  context: SchedulerContext,
  order: CheckOrder,
  job: Job,
  signal: AbortSignal,
): Promise<string> {
  const { config, log, databases, memory, runs } = context;
  const { state: remembered, redisWasWiped } = await memory.load();
  const lost = redisWasWiped ? lostRepairs(remembered, Date.now() + AFTER_WIPE_MS) : [];
  const kept = withRepairs(remembered, lost);
  const before = order.backfill ? requestBackfill(kept, order.backfill) : kept;
  if (redisWasWiped) log.warn('Redis has been wiped; work in progress is planned again');
  let work = NO_WORK;
  let failed = new FailedChunks(NO_WORK);
  const result = await checkGaps(
    {
      sites: databases,
      resolveActive: () => resolveActiveSite(config.active),
      now: Date.now,
      setAside: async (direction) => {
        work = await runs.openWork(direction);
        failed = new FailedChunks(work);
        if (lost.length > 0) {
          await pause(AFTER_WIPE_MS, signal);
          await databases[direction.destination].makeVisible();
        }
        return failed;
      },
      signal,
    },
    checkSettings(config),
    before,
  );
  const { state, events } = afterCheck(result.state, result.report, config.failbackCleanChecks);
  for (const event of [...result.events, ...events]) await emit(context, event);
  await retryFailed(context, result, work, failed, before.startedMs);
  await startRun(context, result, work, job);
  if (result.report.outcome !== 'unknown') memory.forgetWipe();
  await memory.save(state);
  await context.store.saveStatus(statusOf(context, result.report, state));
  const text = describe(result.report, order.cause, state.consecutiveClean);
  log.info({ outcome: result.report.outcome, tookMs: result.report.tookMs }, text);
  return text;
}

/**
 * Runs that were wiped away never settle, but may have copied something a moment ago: what was unproven then is proven
 * only when it has certainly been written to disk, and looked at again when its destination restarts.
 */
const lostRepairs = ({ marks }: SyncState, settledMs: number): RecentRepair[] =>
  DIRECTIONS.flatMap((direction) =>
    (marks[direction]?.unproven ?? []).map((window) => ({ direction, window, settledMs })),
  );

/** Repairs of the same windows are known once, with the later time. */
function withRepairs(state: SyncState, repairs: readonly RecentRepair[]): SyncState {
  const keyOf = ({ direction, window }: RecentRepair) =>
    `${direction} ${window.fromMs} ${window.toMs}`;
  const known = new Set(repairs.map(keyOf));
  const others = state.recentRepairs.filter((repair) => !known.has(keyOf(repair)));
  return { ...state, recentRepairs: [...others, ...repairs] };
}

const DIRECTIONS = SITES.map((site) => directionKey(directionFrom(site)));

const pause = (ms: number, signal: AbortSignal): Promise<void> =>
  new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener('abort', () => {
      clearTimeout(timer);
      reject(signal.reason);
    });
  });

async function startRun(
  context: SchedulerContext,
  result: CheckResult,
  work: OpenWork,
  job: Job,
): Promise<void> {
  const { report, chunks, plannedFor } = result;
  if (report.outcome === 'unknown' || chunks.length === 0 || !plannedFor) return;
  if (work.inProgress) {
    await job.log('chunks of an earlier run are still under way: nothing new is planned');
    return;
  }
  const run = await context.runs.start(report.direction, chunks, plannedFor, Date.now());
  context.log.info({ runId: run.id }, `started ${describeRun(run)}`);
  await job.log(`started ${describeRun(run)}`);
}

async function retryFailed(
  { log }: SchedulerContext,
  { report, state }: CheckResult,
  work: OpenWork,
  failed: FailedChunks,
  startedBefore: CheckResult['state']['startedMs'],
): Promise<void> {
  if (report.outcome === 'unknown' || work.failed.length === 0) return;
  const { destination } = report.direction;
  const earlier = startedBefore[destination];
  const restarted = earlier !== null && earlier !== state.startedMs[destination];
  const seen = { nowMs: Date.now(), moot: failed.moot(), restarted };
  for (const chunk of worthRetrying(work.failed, seen)) {
    await chunk.retry('failed');
    log.info({ jobId: chunk.id }, `chunk ${chunk.id} is tried again`);
  }
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

/** How a `check-gaps` job is asked for, beside the regular ones. */
export async function requestBackfillCheck(
  checks: Queue,
  backfill: NonNullable<CheckOrder['backfill']>,
): Promise<string> {
  const order: CheckOrder = { cause: 'operator', backfill };
  const job = await checks.add('check-gaps', order, CHECK_OPTIONS);
  return job.id ?? '';
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
