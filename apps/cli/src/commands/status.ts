import {
  type BeyondRepair,
  beyondReasonText,
  conflictText,
  type DutyView,
  directionFrom,
  directionKey,
  directionOf,
  dutyText,
  findingText,
  formatDirection,
  formatDuration,
  formatProgress,
  formatShare,
  formatWindow,
  identityText,
  isUnfinished,
  type Pin,
  pinAt,
  pinWitness,
  type Reconcile,
  type ShownPace,
  SITES,
  type Site,
  type StuckMemory,
  type SyncState,
  shownPace,
  shownSurplus,
  surplusSentence,
  totalConflicts,
  verifiedThroughMs,
  whyReconcileWaits,
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
    const state = await store.loadState();
    const progress = await loadProgress(store, state, Date.now());
    const pin = pinAt(state?.pin ?? null, Date.now());
    const pace = shownPace(await paces.current(config.paceLimits));
    if (json) {
      const { detail: _, ...fields } = seen ? stateToFile(seen.state) : {};
      printJson({
        ...fields,
        active: seen?.active ?? null,
        pin,
        ready: verdict.ready,
        known: verdict.known,
        reasons: verdict.reasons,
        paused,
        pace,
        twins: seen?.twins ?? [],
        duty: duty ?? null,
        ...progress,
      });
    } else
      print(
        seen
          ? describe(seen, config, verdict, { pin, paused, pace, duty }, progress)
          : 'UNKNOWN: no check has been made yet; is the scheduler running?',
      );
    if (!verdict.known) return EXIT.unknown;
    return verdict.ready ? EXIT.fine : EXIT.found;
  });

interface Repairs {
  readonly pin: Pin | null;
  readonly paused: boolean;
  readonly pace: ShownPace;
  readonly duty: DutyView | undefined;
}

function describe(
  seen: Status,
  { syncDirection }: Config,
  verdict: ReturnType<typeof readiness>,
  { pin, paused, pace, duty }: Repairs,
  progress: AllProgress,
): string {
  const { state } = seen;
  const word = verdict.ready ? 'FAILBACK READY' : verdict.known ? 'NOT READY' : 'UNKNOWN';
  const rows: [string, string][] = [
    ['active site', `${state.activeSite} (${seen.activeReason})`],
    ...directionRows(seen, pin),
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
  for (const found of seen.twins ?? []) rows.push([found.severity, findingText(found)]);
  if (duty) rows.push(['this vm-sync', `${duty.role}'s, ${dutyText(duty, Date.now())}`]);
  rows.push(...progressRows(progress));
  const surplus = surplusSentence(state, syncDirection === 'both');
  rows.push(...besideRows(state, surplus));
  rows.push(...beyondRows(state.beyondRepair), ...stuckRows(state.stuck));
  if (paused) rows.push(['repairs', 'paused']);
  if (pace.reason !== null) rows.push([pace.stopped ? 'repairs stopped' : 'pace', pace.reason]);
  // Beside READY too: failing back loses nothing of the active site's, but the active site does not have it all.
  const said = verdict.ready && surplus !== undefined ? [surplus] : verdict.reasons;
  const because = said.map((reason) => `\n  ${reason}`).join('');
  return `${word}${because}\n\n${table(rows)}`;
}

/** Each witness of the direction, and whether it is evidence enough for writing; a pin also before a check has seen it. */
function directionRows({ active }: Status, pin: Pin | null): [string, string][] {
  const rows: [string, string][] = [];
  const isSeen = active?.witnesses.some(({ name }) => name === 'pin') ?? false;
  if (pin && !isSeen) rows.push(['pin', pinWitness(pin).text]);
  if (!active) return rows;
  for (const { name, says, text } of active.witnesses) {
    rows.push([`witness ${name}`, `${says ?? '-'}: ${text}`]);
  }
  rows.push(['writing', active.whyNoWriting ?? `allowed (epoch ${active.epoch})`]);
  return rows;
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

/** What only the passive site has, what is done about it, and values that differ. */
function besideRows(state: SyncState, surplus: string | undefined): [string, string][] {
  const rows: [string, string][] = [];
  const shown = shownSurplus(state);
  if (shown) rows.push([`only on ${shown.direction.source}`, surplus ?? '']);
  const { reconcile } = state;
  if (reconcile) rows.push(['reconcile', reconcileText(reconcile, state.activeSite)]);
  const conflicts = totalConflicts(state.conflicts);
  if (conflicts.samples > 0) rows.push(['values differ', conflictText(conflicts)]);
  return rows;
}

function reconcileText(reconcile: Reconcile, activeSite: SyncState['activeSite']): string {
  const { id, direction, state, samplesRecovered, windows } = reconcile;
  const what = `${id}, ${formatDirection(directionOf(direction))}, ${state}: ${number(samplesRecovered)} samples recovered`;
  if (state !== 'open') return what;
  const waits = whyReconcileWaits(reconcile, activeSite);
  const left = `${number(windows.length)} windows not proven yet`;
  return [what, waits ?? left].join('; ');
}

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
    ({ direction, window, samples, firstMs, times, acknowledged }) =>
      `${formatDirection(directionOf(direction))}, ${formatWindow(window)}: ${number(samples)} samples, tried ${times === 1 ? 'once' : `${times} times`} since ${iso(firstMs)}${acknowledged ? `, acknowledged by ${acknowledged.who}` : ''}`,
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
