import { type MatrixRow, STAGES, type Stage } from './matrix.ts';

/** Faults of machines and processes, by the test file that brings each about at every stage. */
const faultsByTest = {
  'matrix-machine-databases': [
    'source database: SIGKILL',
    'source database: SIGSTOP for 8 s',
    'source database: restart',
    'destination database: SIGKILL',
    'destination database: SIGSTOP for 8 s',
    'destination database: restart',
    'destination database: read-only',
    'destination database: disk full, and started again with room',
    'source database: clock 90 s ahead',
    'destination database: clock 90 s ahead',
  ],
  'matrix-machine-redis': [
    'Redis: SIGKILL, append-only',
    'Redis: SIGSTOP for 8 s',
    'Redis: wiped',
    'Redis: started again empty',
  ],
  'matrix-machine-processes': [
    'scheduler: SIGKILL',
    'scheduler: SIGSTOP for longer than its locks, another one takes over',
    'worker: SIGKILL',
    'worker: SIGSTOP for longer than its lock, another one takes over',
    'dashboard: SIGKILL',
  ],
  'matrix-machine-dns': [
    'DNS: NXDOMAIN',
    'DNS: server gone',
    'DNS: server silent',
    'DNS: flips to the other site and back',
    'DNS: both addresses at once',
  ],
  'matrix-machine-state': [
    'state file: deleted',
    'state file: truncated',
    'state file: cannot be written',
  ],
} as const;

type FaultsByTest = typeof faultsByTest;

export type MachineTest = keyof FaultsByTest;

export type MachineFault = FaultsByTest[MachineTest][number];

/** These few are brought about in every run of the tests, at these stages; all of it with MATRIX=full. */
export const quickCells: Partial<Record<MachineFault, readonly Stage[]>> = {
  'destination database: SIGKILL': ['import'],
  'Redis: wiped': ['export'],
  'worker: SIGKILL': ['import', 'verify'],
};

/** The faults of one test file. */
export const machineFaultsOf = (test: MachineTest): readonly MachineFault[] => faultsByTest[test];

export const machineRows: readonly MatrixRow[] = Object.entries(faultsByTest).flatMap(
  ([test, faults]) =>
    faults.map((fault) => ({
      fault,
      cells: Object.fromEntries(STAGES.map((stage) => [stage, { test }])) as MatrixRow['cells'],
    })),
);
