import { statSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import type { Site, SyncState } from '@vm-sync/core';
import { stateToFile } from '@vm-sync/runtime';

/** The state file as people and scripts read it, with vm-sync's own memory in `detail`. */
export type StateFile = {
  last_check: string | null;
  last_sync: string | null;
  consecutive_clean: number;
  failback_ready: boolean;
  active_site: Site | 'unknown';
  gaps_detected: number;
  samples_synced: number;
  last_error: string | null;
  verified_through: Record<'primary-to-dr' | 'dr-to-primary', string | null>;
  not_ready_because: string[];
  only_on_passive: { direction: string; samples: number } | null;
  conflicts: { samples: number; series: number } | null;
  detail: SyncState;
};

/** Undefined while there is none. */
export async function readState(path: string): Promise<StateFile | undefined> {
  try {
    return JSON.parse(await readFile(path, 'utf8'));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** Reads it again only when it has changed: it is looked at many times a second, all the time. */
export function stateReader(path: string): () => Promise<StateFile | undefined> {
  let known: { version: string; state: StateFile | undefined } | undefined;
  return async () => {
    const stats = statSync(path, { bigint: true, throwIfNoEntry: false });
    const version = stats ? `${stats.ino} ${stats.mtimeNs} ${stats.size}` : 'none';
    if (known?.version !== version) known = { version, state: await readState(path) };
    return known.state;
  };
}

/** Writes the file as vm-sync would have. */
export async function writeState(path: string, state: SyncState): Promise<void> {
  await writeFile(path, JSON.stringify(stateToFile(state)));
}
