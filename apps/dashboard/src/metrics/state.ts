import {
  DIRECTION_KEYS,
  directionFrom,
  directionKey,
  SITES,
  shownSurplus,
  totalConflicts,
  verifiedThroughMs,
} from '@vm-sync/core';
import type { Status } from '@vm-sync/queue';
import { type Exposition, oneOf, type Sample } from './exposition.ts';

/** What is proven, what is not, and which way it goes. */
export function addState(out: Exposition, status: Status, nowMs: number): void {
  const { state } = status;
  addDirection(out, status);
  addMarks(out, state.marks, nowMs);
  addUnrepaired(out, state);
  out.gauge('consecutive_clean_checks', 'Clean checks in a row.', [[{}, state.consecutiveClean]]);
  out.gauge(
    'backfills',
    'Backfills that have not ended, by state.',
    (['open', 'paused'] as const).map((wanted): Sample => {
      return [{ state: wanted }, state.backfills.filter((one) => one.state === wanted).length];
    }),
  );
  out.counter('repaired_samples_total', 'Samples that repairs imported into a destination.', [
    [{}, state.samplesSynced],
  ]);
}

function addDirection(out: Exposition, { active, role, state: { activeSite } }: Status): void {
  out.gauge('info', 'The site that this vm-sync stands at.', [[{ role }, 1]]);
  out.gauge(
    'active_site',
    'Which site is active, 1 for the one that is.',
    oneOf('site', [...SITES, 'unknown'], activeSite),
  );
  const direction = activeSite === 'unknown' ? activeSite : directionKey(directionFrom(activeSite));
  out.gauge(
    'direction',
    'Which way is repaired, 1 for the one that is.',
    oneOf('direction', [...DIRECTION_KEYS, 'unknown'], direction),
  );
  if (!active) return;
  out.gauge('writing_allowed', 'Whether the witnesses of the direction suffice for writing.', [
    [{}, active.mayWrite],
  ]);
}

function addMarks(out: Exposition, marks: Status['state']['marks'], nowMs: number): void {
  const known = DIRECTION_KEYS.flatMap((direction) => {
    const mark = marks[direction];
    return mark ? [{ direction, throughMs: verifiedThroughMs(mark) }] : [];
  });
  out.gauge(
    'verified_through_timestamp_seconds',
    'Up to here every sample is proven to be there.',
    known.map(({ direction, throughMs }): Sample => [{ direction }, throughMs / 1e3]),
  );
  out.gauge(
    'verified_through_age_seconds',
    'How long ago that is up to which every sample is proven to be there.',
    known.map(({ direction, throughMs }): Sample => {
      return [{ direction }, Math.max(0, nowMs - throughMs) / 1e3];
    }),
  );
}

function addUnrepaired(out: Exposition, state: Status['state']): void {
  out.gauge(
    'beyond_repair_windows',
    'Windows that were not proven and are too old for any repair.',
    [[{}, state.beyondRepair.length]],
  );
  const stuck = state.stuck.attempted.filter((attempt) => attempt.stuck);
  out.gauge('stuck_samples', 'Samples missing in gaps that a repair did not change.', [
    [{}, stuck.reduce((sum, { samples }) => sum + samples, 0)],
  ]);
  if (state.activeSite !== 'unknown') {
    out.gauge('surplus_samples', 'Samples that the passive site has and the active one lacks.', [
      [{}, shownSurplus(state)?.samples ?? 0],
    ]);
  }
  out.gauge('conflicting_samples', 'Samples of which the sites hold different values.', [
    [{}, totalConflicts(state.conflicts).samples],
  ]);
}
