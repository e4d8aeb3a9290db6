import { type CheckReport, nextGapMaps, type SyncState } from '@vm-sync/core';
import { CheckHistoryStore, GapMapStore } from '@vm-sync/queue';
import type { CheckResult } from '@vm-sync/steps';
import type { SchedulerContext } from './context.ts';

/** Keeps for the status page what a check found: a line of its history, and the gap map. */
export async function rememberCheck(
  { connection }: SchedulerContext,
  { report, gapMap }: CheckResult,
  { episode }: SyncState,
): Promise<void> {
  await new CheckHistoryStore(connection).add({
    atMs: report.atMs,
    outcome: report.outcome,
    ...sumsOf(report),
    tookMs: report.tookMs,
  });
  if (report.outcome === 'unknown') return;
  const maps = new GapMapStore(connection);
  const about = { checkedMs: report.atMs, sinceMs: episode?.sinceMs ?? null };
  await maps.save(nextGapMaps(await maps.load(), gapMap ?? null, about));
}

function sumsOf(report: CheckReport): { samples: number | null; missing: number | null } {
  if (report.outcome === 'unknown') return { samples: null, missing: null };
  return { samples: report.tallied.sourceSamples, missing: report.tallied.missing };
}
