import { randomBytes } from 'node:crypto';
import {
  type Certificate,
  type CertificateRecord,
  type CheckReport,
  COUNT_AGAIN_AFTER_MS,
  type CountedDevices,
  certificateToRenew,
  directionKey,
  errorText,
  formatSelector,
  type KnownReport,
  makeCertificate,
  recordsAfter,
  refuseReady,
  repairedSince,
  type Step,
  type SyncState,
  whyNoCertificate,
  windowToCount,
} from '@vm-sync/core';
import { certificateDigest, type Status } from '@vm-sync/queue';
import { countDevices } from '@vm-sync/steps';
import type { SchedulerContext } from './context.ts';
import { checkSettings } from './settings.ts';

/** What READY rests on after a check: the step may have lost its READY. */
export interface Certified {
  readonly step: Step;
  readonly records: readonly CertificateRecord[];
}

/** A check whose state is decided, and nobody told of it yet. */
export interface Decided {
  /** As it was remembered before the check. */
  readonly before: SyncState;
  readonly step: Step;
  readonly report: CheckReport;
  readonly validUntilMs: number;
  readonly signal: AbortSignal;
}

/**
 * Issues, renews or withdraws the certificate, in the same step in which READY is decided: whoever reads of READY finds its
 * certificate kept already. Where none can be made there is no READY either, and the reason says so.
 */
export async function certify(context: SchedulerContext, decided: Decided): Promise<Certified> {
  const { before, step, report, signal } = decided;
  const last = await context.store.loadStatus();
  const records = last?.certificates ?? [];
  if (!step.state.failbackReady) return withdrawn(context, step, records, report.atMs);
  try {
    const refusal = whyNoCertificate(step.state, report);
    if (refusal !== undefined || report.outcome === 'unknown') throw new Error(refusal);
    const certificate = await issue(context, { ...decided, report }, last);
    await context.certificates.keep(certificate);
    const sha256 = certificateDigest(certificate);
    return { step, records: recordsAfter(records, { certificate, sha256, atMs: report.atMs }) };
  } catch (error) {
    if (signal.aborted) throw error;
    const reason = `no certificate: ${errorText(error)}`;
    context.log.error({ err: errorText(error) }, 'READY cannot be certified, and is not said');
    return withdrawn(context, refuseReady(step, before, reason), records, report.atMs);
  }
}

function withdrawn(
  { log }: SchedulerContext,
  step: Step,
  records: readonly CertificateRecord[],
  atMs: number,
): Certified {
  const after = recordsAfter(records, { reasons: step.state.reasons, atMs });
  const [ended] = after;
  if (ended?.ended && records[0]?.ended === null) {
    const { how, reason } = ended.ended;
    log.warn({ certificate: ended.id }, `certificate ${ended.id} ${how}: ${reason}`);
  }
  return { step, records: after };
}

async function issue(
  context: SchedulerContext,
  of: Decided & { readonly report: KnownReport },
  last: Status | undefined,
): Promise<Certificate> {
  const { config, certificates, log, store } = context;
  const { before, step, report, validUntilMs } = of;
  const { atMs, direction } = report;
  const renewed = certificateToRenew(last?.certificates, {
    recordsMs: last?.atMs,
    lastCheckMs: before.lastCheckMs,
    wasReady: before.failbackReady,
    direction: directionKey(direction),
    nowMs: Date.now(),
  });
  const known = renewed && (await certificates.load(renewed.id));
  const sinceMs = known ? known.repaired.sinceMs : (last?.certificates?.[0]?.ended?.atMs ?? null);
  const certificate = makeCertificate(step.state, report, {
    id: renewed?.id ?? newId(atMs),
    issuedBy: config.role,
    issuedMs: renewed?.issuedMs ?? atMs,
    validUntilMs,
    cleanWanted: config.failbackCleanChecks,
    threshold: config.gapThreshold,
    settings: {
      selectors: checkSettings(config).scope.map(formatSelector),
      queryStepMs: config.queryStepMs,
      queryWindowMs: config.queryWindowMs,
      settleMs: config.settleMs,
      syncDirection: config.syncDirection,
    },
    repaired: repairedSince(await store.allRuns(), sinceMs),
    devices: isFresh(known, atMs) ? known.devices : await count(context, of),
  });
  if (!renewed) log.info({ certificate: certificate.id }, `certificate ${certificate.id} issued`);
  return certificate;
}

/** `20261126-030000-4f2a9c`: sorts by time, and is read over the telephone. */
function newId(atMs: number): string {
  const [day = '', time = ''] = new Date(atMs).toISOString().split(/[T.]/);
  return `${day.replaceAll('-', '')}-${time.replaceAll(':', '')}-${randomBytes(3).toString('hex')}`;
}

const isFresh = (known: Certificate | undefined, atMs: number): known is Certificate =>
  known !== undefined && atMs - known.devices.atMs < COUNT_AGAIN_AFTER_MS;

/** Counting is for showing: it may take this long, and then the certificate says that nothing was counted. */
const COUNT_WITHIN_MS = 20_000;

async function count(
  { config, databases }: SchedulerContext,
  { step, report, signal }: Decided & { readonly report: KnownReport },
): Promise<CountedDevices> {
  const { direction } = report;
  const atMs = Date.now();
  const window = windowToCount(step.state, report, config);
  if (!window) return { atMs, window: null, table: null, reason: 'no whole bucket is proven' };
  const within = AbortSignal.timeout(COUNT_WITHIN_MS);
  const pair = {
    direction,
    source: databases[direction.source],
    destination: databases[direction.destination],
  };
  try {
    const table = await countDevices({
      pair,
      scope: checkSettings(config).scope,
      window,
      signal: AbortSignal.any([signal, within]),
    });
    return { atMs, window, table, reason: null };
  } catch (error) {
    if (signal.aborted) throw error;
    const reason = within.aborted
      ? `it took longer than ${COUNT_WITHIN_MS / 1_000} s`
      : errorText(error);
    return { atMs, window, table: null, reason };
  }
}
