import { constants } from 'node:fs';
import { mkdir, open, readFile, rename } from 'node:fs/promises';
import { dirname } from 'node:path';
import {
  beyondReasonText,
  directionFrom,
  directionKey,
  directionOf,
  SITES,
  type SyncState,
  shownSurplus,
  totalConflicts,
  verifiedThroughMs,
} from '@vm-sync/core';
import { SyncStateSchema } from '@vm-sync/queue';
import { z } from 'zod';

const iso = (ms: number | null): string | null => (ms === null ? null : new Date(ms).toISOString());

/** The state as the state file shows it: the fields that people and scripts know, and the whole state in `detail`. */
export function stateToFile(state: SyncState): Record<string, unknown> {
  const through = SITES.map((site) => {
    const key = directionKey(directionFrom(site));
    const mark = state.marks[key];
    return [key, mark && iso(verifiedThroughMs(mark))] as const;
  });
  return {
    last_check: iso(state.lastCheckMs),
    last_sync: iso(state.lastSyncMs),
    consecutive_clean: state.consecutiveClean,
    failback_ready: state.failbackReady,
    active_site: state.activeSite,
    gaps_detected: state.gapsDetected,
    samples_synced: state.samplesSynced,
    last_error: state.lastError,
    verified_through: Object.fromEntries(through),
    not_ready_because: state.reasons,
    beyond_repair: state.beyondRepair.map((one) => ({
      direction: one.direction,
      from: iso(one.window.fromMs),
      to: iso(one.window.toMs),
      reason: beyondReasonText(one.reason, directionOf(one.direction)),
      since: iso(one.sinceMs),
      samples_missing: one.samplesMissing,
    })),
    stuck: state.stuck.attempted
      .filter((attempt) => attempt.stuck)
      .map((attempt) => ({
        direction: attempt.direction,
        from: iso(attempt.window.fromMs),
        to: iso(attempt.window.toMs),
        since: iso(attempt.firstMs),
        samples_missing: attempt.samples,
        repairs: attempt.times,
        acknowledged_by: attempt.acknowledged?.who ?? null,
      })),
    only_on_passive: onlyOnPassive(state),
    reconcile: reconcileOf(state),
    conflicts: conflictsOf(state),
    detail: state,
  };
}

function onlyOnPassive(state: SyncState): Record<string, unknown> | null {
  const surplus = shownSurplus(state);
  if (!surplus) return null;
  return {
    direction: directionKey(surplus.direction),
    samples: surplus.samples,
    at_least: surplus.atLeast,
    series: surplus.series,
    windows: surplus.windows.map(({ fromMs, toMs }) => ({ from: iso(fromMs), to: iso(toMs) })),
  };
}

function reconcileOf({ reconcile }: SyncState): Record<string, unknown> | null {
  if (!reconcile) return null;
  const { id, direction, state, requestedMs, samplesRecovered, endedMs } = reconcile;
  return {
    id,
    direction,
    state,
    requested: iso(requestedMs),
    samples_recovered: samplesRecovered,
    ended: iso(endedMs),
  };
}

function conflictsOf({ conflicts }: SyncState): Record<string, unknown> | null {
  const { samples, series, atLeast, example } = totalConflicts(conflicts);
  if (samples === 0) return null;
  const shown = example && {
    series: example.series,
    at: iso(example.atMs),
    primary: example.values.primary,
    dr: example.values.dr,
  };
  return { samples, series, at_least: atLeast, example: shown };
}

const FileSchema = z.object({ detail: SyncStateSchema });

/** The remembered state, undefined when there is no file. Throws a sentence when there is one that cannot be read. */
export async function readStateFile(path: string): Promise<SyncState | undefined> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new Error(`cannot read the state file ${path}: ${(error as Error).message}`);
  }
  try {
    return FileSchema.parse(JSON.parse(text)).detail;
  } catch {
    throw new Error(`the state file ${path} is damaged`);
  }
}

/** Writes the state whole or not at all: temporary file, fsync, rename, fsync of the folder. */
export async function writeStateFile(path: string, state: SyncState): Promise<void> {
  const folder = dirname(path);
  await mkdir(folder, { recursive: true });
  const temporary = `${path}.${process.pid}.tmp`;
  const file = await open(temporary, 'w', 0o644);
  try {
    await file.writeFile(`${JSON.stringify(stateToFile(state), null, 2)}\n`);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(temporary, path);
  const directory = await open(folder, constants.O_RDONLY);
  await directory.sync().finally(() => directory.close());
}

/** Moves a damaged state file out of the way, so that it can be looked at and is not read again. */
export async function setStateFileAside(path: string, nowMs: number): Promise<string> {
  const aside = `${path}.damaged-${new Date(nowMs).toISOString().replaceAll(':', '-')}`;
  await rename(path, aside);
  return aside;
}
