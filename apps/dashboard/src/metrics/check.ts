import { SITES } from '@vm-sync/core';
import { CHECK_OUTCOMES, type Status, type TotalsView } from '@vm-sync/queue';
import type { Exposition, Sample } from './exposition.ts';

/** The last check: when, how long, what it found, and of whom. */
export function addCheck(out: Exposition, status: Status, nowMs: number): void {
  const { atMs, tookMs, checkIntervalMs, outcome, tallied } = status;
  const lastMs = status.state.lastCheckMs ?? atMs;
  out.gauge('last_check_timestamp_seconds', 'When the last check was made.', [[{}, lastMs / 1e3]]);
  out.gauge('check_age_seconds', 'Age of the last check.', [
    [{}, Math.max(0, nowMs - lastMs) / 1e3],
  ]);
  out.gauge('check_interval_seconds', 'Time between two checks, as it is set.', [
    [{}, checkIntervalMs / 1e3],
  ]);
  out.gauge('check_duration_seconds', 'How long the last check took.', [[{}, tookMs / 1e3]]);
  out.gauge(
    'check_outcome',
    'Outcome of the last check, 1 for the one that it had.',
    CHECK_OUTCOMES.map((one): Sample => [{ outcome: one }, one === outcome]),
  );
  addSites(out, status);
  if (!tallied) return;
  out.gauge(
    'missing_samples',
    'Samples that the destination lacked at the last check, at the least.',
    [[{}, tallied.missing]],
  );
  out.gauge('gaps', 'Gaps (series by stretch of time) that the last check found.', [
    [{}, tallied.gaps],
  ]);
}

export function addChecks(out: Exposition, { checks }: TotalsView): void {
  out.counter(
    'checks_total',
    'Checks that were made, by outcome.',
    CHECK_OUTCOMES.map((outcome): Sample => [{ outcome }, checks[outcome]]),
  );
}

function addSites(out: Exposition, { sites, twins }: Status): void {
  const views = SITES.flatMap((site) => {
    const view = sites[site];
    return view ? [{ site, view }] : [];
  });
  out.gauge(
    'site_up',
    'Whether the site answered at the last check.',
    views.map(({ site, view }): Sample => [{ site }, view.healthy]),
  );
  out.gauge(
    'site_clock_offset_seconds',
    "By how much the site's clock was ahead of this vm-sync's at the last check.",
    views.flatMap(({ site, view }): Sample[] => {
      const clock = view.healthy ? view.observation.clock : undefined;
      return clock ? [[{ site }, clock.offsetMs / 1e3]] : [];
    }),
  );
  if (!twins) return;
  out.gauge(
    'twin_findings',
    'Settings and clocks that stand in the way of the sites being equal, by severity.',
    (['fault', 'advice'] as const).map((severity): Sample => {
      return [{ severity }, twins.filter((found) => found.severity === severity).length];
    }),
  );
}
