import type { Progress } from './progress.ts';

/** A repair that takes longer is told once, with the time that is left. */
const LONG_MS = 5 * 60_000;

/** With less left than this "Sync complete" says it soon enough. */
const WORTH_TELLING_MS = 60_000;

/** True when a run is worth a message of its own: it goes on for long, chunks are being done, and it is not nearly over. */
export const isLongRepair = (
  { beganMs, progress }: { readonly beganMs: number; readonly progress: Progress },
  nowMs: number,
): boolean =>
  nowMs - beganMs >= LONG_MS && progress.leftMs !== null && progress.leftMs >= WORTH_TELLING_MS;
