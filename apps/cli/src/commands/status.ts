import {
  type BeyondRepair,
  beyondReasonText,
  type DutyView,
  directionFrom,
  directionKey,
  directionOf,
  dutyText,
  formatDirection,
  formatDuration,
  formatProgress,
  formatShare,
  formatWindow,
  identityText,
  isUnfinished,
  type ShownPace,
  SITES,
  type Site,
  type StuckMemory,
  shownPace,
  verifiedThroughMs,
} from '@vm-sync/core';
import { type AllProgress, loadProgress, readiness, type Status } from '@vm-sync/queue';
import { type Config, stateToFile } from '@vm-sync/runtime';
import { complain, EXIT, type ExitCode, iso, number, print, printJson, table } from '../output.ts';
import { withRedis } from '../redis.ts';

/** What the last check saw. */
export const status = (config: Config, { json }: { json?: boolean }): Promise<ExitCode> =>
  withRedis(config, async ({ store, paces, dutyStore, repairs }) => {
    const seen = await store.loadStatus();
    const verdict = readiness(seen, undefined, Date.now());
    const paused = await repairs.isPaused();
    const duty = await dutyStore.loadView();
    const progress = await loadProgress(store, await store.loadState(), Date.now());
    const pace = shownPace(await paces.current(config.paceLimits));
    if (json) {
      const { detail: _, ...state } = seen ? stateToFile(seen.state) : {};
      printJson({
        ...state,
        ready: verdict.ready,
        known: verdict.known,
        reasons: verdict.reasons,
        paused,
        pace,
        duty: duty ?? null,
        ...progress,
      });
    } else
      print(
        seen
          ? describe(seen, verdict, { paused, pace, duty }, progress)
          : 'UNKNOWN: no check has been made yet; is the scheduler running?',
      );
    if (!verdict.known) return EXIT.unknown;
    return verdict.ready ? EXIT.fine : EXIT.found;
  });

interface Repairs {
  readonly paused: boolean;
  readonly pace: ShownPace;
  readonly duty: DutyView | undefined;
}

function describe(
  seen: Status,
  verdict: ReturnType<typeof readiness>,
  { paused, pace, duty }: Repairs,
  progress: AllProgress,
): string {
  const { state } = seen;
  const word = verdict.ready ? 'FAILBACK READY' : verdict.known ? 'NOT READY' : 'UNKNOWN';
  const rows: [string, string][] = [
    ['active site', `${state.activeSite} (${seen.activeReason})`],
    [
      'last check',
      `${iso(state.lastCheckMs)}, ${formatDuration(Date.now() - seen.atMs)} ago, ${seen.outcome}`,
    ],
    ['clean checks', `${state.consecutiveClean} of ${seen.cleanChecksWanted}`],
    ['gaps', number(state.gapsDetected)],
    ['last sync', iso(state.lastSyncMs)],
    ['samples synced', number(state.samplesSynced)],
  ];
  for (const source of SITES) {
    const direction = directionFrom(source);
    const mark = state.marks[directionKey(direction)];
    rows.push([
      `verified ${formatDirection(direction)}`,
      mark ? iso(verifiedThroughMs(mark)) : '-',
    ]);
  }
  for (const site of SITES) {
    const view = seen.sites[site];
    if (view) rows.push([site, view.healthy ? `healthy, ${view.observation.url}` : view.reason]);
    rows.push([`${site} is`, identityText(state.identity, site)]);
  }
  if (duty) rows.push(['this vm-sync', `${duty.role}'s, ${dutyText(duty, Date.now())}`]);
  rows.push(...progressRows(progress));
  rows.push(...beyondRows(state.beyondRepair), ...stuckRows(state.stuck));
  if (paused) rows.push(['repairs', 'paused']);
  if (pace.reason !== null) rows.push([pace.stopped ? 'repairs stopped' : 'pace', pace.reason]);
  const because = verdict.reasons.map((reason) => `\n  ${reason}`).join('');
  return `${word}${because}\n\n${table(rows)}`;
}

/** What is being repaired, and the backfills that have not ended. */
const progressRows = ({ runs, backfills }: AllProgress): [string, string][] => [
  ...runs.map(({ run, progress }): [string, string] => [
    run.state === 'paused' ? 'run (paused)' : 'run',
    `${formatDirection(run.direction)}: ${formatProgress(progress)}`,
  ]),
  ...backfills
    .filter(({ backfill }) => isUnfinished(backfill))
    .map(({ backfill, share, waits }): [string, string] => [
      'backfill',
      [
        `${backfill.id}, ${formatDirection(directionOf(backfill.direction))}, ${formatWindow(backfill.window)}: ${formatShare(share.provenOrRepaired)} proven or repaired`,
        ...(waits === null ? [] : [waits]),
      ].join('; '),
    ]),
];

/** A status is to be read at a glance; `--json` and the state file have them all. */
const MOST_ROWS = 5;

/** The newest ones, and how many more there are. */
function newestRows<T>(
  name: string,
  all: readonly T[],
  text: (one: T) => string,
): [string, string][] {
  const rows = all.slice(-MOST_ROWS).map((one): [string, string] => [name, text(one)]);
  const more = all.length - rows.length;
  return more > 0 ? [...rows, [name, `and ${number(more)} older`]] : rows;
}

const beyondRows = (all: readonly BeyondRepair[]): [string, string][] =>
  newestRows('beyond repair', all, ({ direction: key, window, reason, samplesMissing }) => {
    const direction = directionOf(key);
    const lost = samplesMissing === null ? '' : `, at least ${number(samplesMissing)} samples`;
    return `${formatDirection(direction)}, ${formatWindow(window)}${lost}: ${beyondReasonText(reason, direction)}`;
  });

const stuckRows = ({ attempted }: StuckMemory): [string, string][] =>
  newestRows(
    'stuck',
    attempted.filter((attempt) => attempt.stuck),
    ({ direction, window, samples, firstMs, times }) =>
      `${formatDirection(directionOf(direction))}, ${formatWindow(window)}: ${number(samples)} samples, tried ${times === 1 ? 'once' : `${times} times`} since ${iso(firstMs)}`,
  );

/** Exit 0 only when parity is proven. */
export async function ready(config: Config, { site }: { site?: string }): Promise<ExitCode> {
  if (site !== undefined && !SITES.includes(site as Site)) {
    complain(`--site: expected primary or dr, got ${JSON.stringify(site)}`);
    return EXIT.unknown;
  }
  return withRedis(config, async ({ store }) => {
    const verdict = readiness(await store.loadStatus(), site as Site | undefined, Date.now());
    if (verdict.ready) {
      print(site ? `${site} is proven complete` : 'FAILBACK READY');
      return EXIT.fine;
    }
    complain(`${verdict.known ? 'NOT READY' : 'UNKNOWN'}: ${verdict.reasons.join('; ')}`);
    return verdict.known ? EXIT.found : EXIT.unknown;
  });
}
