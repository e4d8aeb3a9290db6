import type { Env, Stack, VmSyncProcess } from '@vm-sync/fault-bench';
import type { FaultProxy } from '@vm-sync/testkit';

export type Part = 'scheduler' | 'worker' | 'dashboard';

/** One row of the matrix at work: `primary` is the source, `dr` the destination. */
export interface Row {
  readonly stack: Stack;
  /** Before the receiver of messages. */
  readonly messages: FaultProxy;
  /** The processes that do the work now; others may be paused or ended. */
  readonly running: Record<Part, VmSyncProcess>;
  /** What the processes are given beside the stack's own. */
  readonly env: Env;
  /** Those that were ended on purpose: no other may end. */
  readonly endedByUs: Set<VmSyncProcess>;
}

/** Ends a process of the row, however. */
export async function end(
  row: Row,
  process: VmSyncProcess,
  how: 'kill' | 'stop' = 'kill',
): Promise<void> {
  row.endedByUs.add(process);
  await process[how]();
}

export function spawnPart(row: Row, part: Part): void {
  row.running[part] = row.stack.spawn(part, row.env);
}
