import { type MatrixRow, STAGES, type Stage } from './matrix.ts';

/** Faults of machines and processes; `matrix-machine.test.ts` brings each about at every stage. */
export const machineFaults = [
  'source database: SIGKILL',
  'source database: SIGSTOP for 8 s',
  'source database: restart',
  'source database: clock 90 s ahead',
  'destination database: SIGKILL',
  'destination database: SIGSTOP for 8 s',
  'destination database: restart',
  'destination database: clock 90 s ahead',
  'destination database: read-only',
  'destination database: disk full, then started again with room',
  'Redis: SIGKILL, append-only',
  'Redis: SIGSTOP for 8 s',
  'Redis: wiped',
  'Redis: started again empty',
  'scheduler: SIGKILL',
  'scheduler: SIGSTOP for longer than its locks, another one takes over',
  'worker: SIGKILL',
  'worker: SIGSTOP for longer than its lock, another one takes over',
  'dashboard: SIGKILL',
  'DNS: NXDOMAIN',
  'DNS: server gone',
  'DNS: server silent',
  'DNS: flips to the other site and back',
  'DNS: both addresses at once',
  'state file: deleted',
  'state file: truncated',
  'state file: cannot be written',
] as const;

export type MachineFault = (typeof machineFaults)[number];

/** These few are brought about in every run of the tests, at these stages; all of it with MATRIX=full. */
export const quickCells: Partial<Record<MachineFault, readonly Stage[]>> = {
  'worker: SIGKILL': ['import'],
};

const everyStage = Object.fromEntries(
  STAGES.map((stage) => [stage, { test: 'matrix-machine' }]),
) as MatrixRow['cells'];

export const machineRows: readonly MatrixRow[] = machineFaults.map((fault) => ({
  fault,
  cells: everyStage,
}));
