import { intersect, lengthMs, makeWindow, type Window } from '@vm-sync/core';

/** What a check is doing: the words of its own parts, in the order of their beginning. */
export type CheckAct = 'looking back' | 'seeking' | 'proving' | 'looking backwards' | 'surveying';

/** How far a check is with what it is doing; for the eyes of people who wait. */
export interface CheckProgress {
  readonly act: CheckAct;
  /** From 0 to 1 of the time that it looks at; null where nothing can be said. */
  readonly share: number | null;
}

/** How much of windows has been looked at, newest first, when the look has come down to `fromMs`. */
export function shareLookedAt(windows: readonly Window[], fromMs: number): number {
  const sum = (all: readonly Window[]) => all.reduce((total, one) => total + lengthMs(one), 0);
  const newer = makeWindow(fromMs, Number.MAX_SAFE_INTEGER);
  const total = sum(windows);
  return total === 0 ? 1 : sum(windows.flatMap((one) => intersect(one, newer) ?? [])) / total;
}
