import { SITES, shownSurplus, totalConflicts, verifiedThroughMs } from '@vm-sync/core';
import { readiness, type Status } from '@vm-sync/queue';
import { Counter, collectDefaultMetrics, Gauge, Registry } from 'prom-client';
import type { JobCounts } from './overview.ts';

/** What one scrape found; what is not known is undefined and gives no sample, never a zero. */
export interface Scrape {
  readonly redisUp: boolean;
  readonly status: Status | undefined;
  readonly jobs: JobCounts | undefined;
}

export const NOTHING_KNOWN: Scrape = { redisUp: false, status: undefined, jobs: undefined };

/** CPU, memory and event loop of this process. */
export function processMetrics(): Registry {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  return registry;
}

/** The text of vm-sync's own metrics. A registry per scrape: two scrapes at once cannot mix their values. */
export async function renderMetrics(scrape: Scrape, nowMs: number): Promise<string> {
  const registry = new Registry();
  const { status, jobs, redisUp } = scrape;
  const set = setterOf(registry);
  set('redis_up', 'Whether Redis answers.', [[{}, redisUp]]);
  set('ready', 'Whether FAILBACK READY is proven now; 0 also when that is not known.', [
    [{}, readiness(status, undefined, nowMs).ready],
  ]);
  if (jobs) setJobs(set, jobs);
  if (status) {
    setCheck(set, status, nowMs);
    setState(set, status);
    setTwins(set, status);
    new Counter({
      name: 'vmsync_repaired_samples_total',
      help: 'Samples that repairs imported into a destination.',
      registers: [registry],
    }).inc(status.state.samplesSynced);
  }
  return registry.metrics();
}

type Labels = Readonly<Record<string, string>>;
type Setter = (name: string, help: string, samples: [Labels, number | boolean][]) => void;

const setterOf =
  (registry: Registry): Setter =>
  (name, help, samples) => {
    const labelNames = Object.keys(samples[0]?.[0] ?? {});
    const gauge = new Gauge({ name: `vmsync_${name}`, help, labelNames, registers: [registry] });
    for (const [labels, value] of samples) gauge.set(labels, Number(value));
  };

function setJobs(set: Setter, jobs: JobCounts): void {
  const samples = Object.entries(jobs).flatMap(([queue, states]) =>
    Object.entries(states).map(([state, count]): [Labels, number] => [{ queue, state }, count]),
  );
  set('jobs', 'Jobs by queue and state.', samples);
}

function setCheck(set: Setter, status: Status, nowMs: number): void {
  const { atMs, tookMs, outcome, tallied } = status;
  const lastMs = status.state.lastCheckMs ?? atMs;
  set('last_check_timestamp_seconds', 'When the last check was made.', [[{}, lastMs / 1e3]]);
  set('check_age_seconds', 'Age of the last check.', [[{}, Math.max(0, nowMs - lastMs) / 1e3]]);
  set('check_duration_seconds', 'How long the last check took.', [[{}, tookMs / 1e3]]);
  set(
    'check_outcome',
    'Outcome of the last check, 1 for the one that it had.',
    ['clean', 'gaps', 'unknown'].map((one) => [{ outcome: one }, one === outcome]),
  );
  if (!tallied) return;
  set('missing_samples', 'Samples that the destination lacked at the last check, at the least.', [
    [{}, tallied.missing],
  ]);
  set('gaps', 'Gaps (series by stretch of time) that the last check found.', [[{}, tallied.gaps]]);
}

function setTwins(set: Setter, { twins, sites }: Status): void {
  const clocks = SITES.flatMap((site): [Labels, number][] => {
    const view = sites[site];
    const clock = view?.healthy ? view.observation.clock : undefined;
    return clock ? [[{ site }, clock.offsetMs / 1e3]] : [];
  });
  if (clocks.length > 0) {
    const help = "By how much the site's clock was ahead of this vm-sync's at the last check.";
    set('site_clock_offset_seconds', help, clocks);
  }
  if (!twins) return;
  set(
    'twin_findings',
    'Settings and clocks that stand in the way of the sites being equal, by severity.',
    (['fault', 'advice'] as const).map((severity) => [
      { severity },
      twins.filter((found) => found.severity === severity).length,
    ]),
  );
}

function setState(set: Setter, { state, sites }: Status): void {
  set('consecutive_clean_checks', 'Clean checks in a row.', [[{}, state.consecutiveClean]]);
  set(
    'active_site',
    'Which site is active, 1 for the one that is.',
    [...SITES, 'unknown'].map((site) => [{ site }, site === state.activeSite]),
  );
  const seen = SITES.flatMap((site): [Labels, boolean][] => {
    const view = sites[site];
    return view ? [[{ site }, view.healthy]] : [];
  });
  if (seen.length > 0) set('site_up', 'Whether the site answered at the last check.', seen);
  set('beyond_repair_windows', 'Windows that were not proven and are too old for any repair.', [
    [{}, state.beyondRepair.length],
  ]);
  const stuck = state.stuck.attempted.filter((attempt) => attempt.stuck);
  set('stuck_samples', 'Samples missing in gaps that a repair did not change.', [
    [{}, stuck.reduce((sum, { samples }) => sum + samples, 0)],
  ]);
  if (state.activeSite !== 'unknown') {
    set('surplus_samples', 'Samples that the passive site has and the active one lacks.', [
      [{}, shownSurplus(state)?.samples ?? 0],
    ]);
  }
  set('conflicting_samples', 'Samples of which the sites hold different values.', [
    [{}, totalConflicts(state.conflicts).samples],
  ]);
  const marks = Object.entries(state.marks).flatMap(([direction, mark]): [Labels, number][] =>
    mark ? [[{ direction }, verifiedThroughMs(mark) / 1e3]] : [],
  );
  if (marks.length === 0) return;
  set(
    'verified_through_timestamp_seconds',
    'Up to here every sample is proven to be there.',
    marks,
  );
}
