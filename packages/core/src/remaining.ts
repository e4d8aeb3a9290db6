import type { CheckReport } from './report.ts';
import { directionKey } from './site.ts';
import type { SyncState } from './state.ts';
import { surplusSentence } from './surplus.ts';
import { formatCount } from './wording.ts';

type KnownReport = Exclude<CheckReport, { outcome: 'unknown' }>;

/** What is still not equal when a repair is complete, as sentences; empty when nothing is known. */
export function remaining(
  state: SyncState,
  { direction, tallied, surplus: found }: KnownReport,
): string[] {
  const key = directionKey(direction);
  const beyond = state.beyondRepair.filter((one) => one.direction === key).length;
  const differing = state.history[key]?.differing.length ?? 0;
  const surplus = surplusSentence(state, found?.wanted === true);
  return [
    ...(tallied.tolerated > 0
      ? [`${formatCount(tallied.tolerated)} samples within GAP_THRESHOLD`]
      : []),
    ...(beyond > 0 ? [`${windows(beyond)} beyond repair`] : []),
    ...(differing > 0 ? [`${windows(differing)} of older history that differ`] : []),
    ...(surplus === undefined ? [] : [surplus]),
  ];
}

const windows = (amount: number): string => `${amount} window${amount === 1 ? '' : 's'}`;
