import {
  estimateCopy,
  mergeWindows,
  type ReconcileForecast,
  reverse,
  VmSyncError,
} from '@vm-sync/core';
import type { Config } from '@vm-sync/runtime';
import { compareNow } from './commands/check.ts';
import { speedOf } from './forecast-backfill.ts';
import type { Report } from './progress-line.ts';

/**
 * What a reconcile would copy now: a comparison by the scheduler's own step, which writes nothing and needs no Redis. Throws a
 * `VmSyncError` when a site cannot be asked.
 */
export async function forecastReconcile(
  config: Config,
  progress?: Report,
): Promise<ReconcileForecast> {
  const { report, plans } = await compareNow(config, { recover: 'everything' }, progress);
  if (report.outcome === 'unknown') throw new VmSyncError('retryable', `unknown: ${report.reason}`);
  const { counted = [], failed = null } = report.surplus ?? {};
  if (failed !== null) throw new VmSyncError('retryable', `unknown: ${failed}`);
  const chunks = plans.filter(({ recovery }) => recovery).flatMap((plan) => plan.chunks);
  const samples = counted.reduce((sum, one) => sum + one.samples, 0);
  const { speed, unmeasured } = await speedOf(config);
  return {
    direction: reverse(report.direction),
    windows: mergeWindows(counted.flatMap(({ windows }) => windows)),
    series: counted.reduce((most, one) => Math.max(most, one.series), 0),
    samples,
    chunks: chunks.length,
    ...estimateCopy(samples, speed, unmeasured),
  };
}
