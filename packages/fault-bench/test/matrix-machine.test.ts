import { machineFaults, quickCells, STAGES } from '@vm-sync/fault-bench';
import { test } from 'vitest';
import { machineActs } from './support/machine-faults.ts';
import { full, runRow } from './support/run-row.ts';

for (const fault of machineFaults) {
  const stages = full ? STAGES : quickCells[fault];
  // Also those that are skipped: one that is not concurrent would part the others.
  const register = stages ? test.concurrent : test.concurrent.skip;
  register(
    `${fault}, at ${(stages ?? STAGES).join(', ')}: repaired, nothing doubled, never falsely READY`,
    { timeout: full ? 1_800_000 : 300_000 },
    async ({ skip }) => {
      const why = machineActs[fault].cannot?.();
      skip(why !== undefined, why);
      await runRow(fault, stages ?? []);
    },
  );
}
