export {
  type ChaosOptions,
  type ChaosResult,
  ChaosViolation,
  runChaos,
} from './chaos/run-chaos.ts';
export { type MatrixCell, type MatrixRow, STAGES, type Stage } from './matrix.ts';
export { type LineFault, lineFaultsAt, lineRows } from './matrix-line.ts';
export type { Oracle } from './oracle.ts';
export { importedBytes, slowImports } from './slow-imports.ts';
export {
  addressOf,
  type ChunkJob,
  rest,
  type SecondVmSync,
  type SiteOptions,
  type SiteStack,
  type Stack,
  type StackOptions,
  startStack,
} from './stack.ts';
export type { StateFile } from './state-file.ts';
export { untilAllDone } from './until-all-done.ts';
export {
  type Env,
  type ProcessName,
  type Ran,
  type RunningCommand,
  runVmSync,
  spawnVmSync,
  startOnTerminal,
  startVmSync,
  type VmSyncProcess,
} from './vm-sync-process.ts';
