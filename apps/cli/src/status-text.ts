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
  onOneLine,
  type Pin,
  pinWitness,
  type Reconcile,
  type ShownPace,
  SITES,
  type StuckMemory,
  type SyncState,
  shownSurplus,
  surplusSentence,
  totalConflicts,
  verifiedThroughMs,
  whyReconcileWaits,
} from '@vm-sync/core';
import type { AllProgress, Readiness, Status } from '@vm-sync/queue';
import type { Paint, Style } from '@vm-sync/runtime';
import { iso, number } from './output.ts';
import { fold, tableLines } from './terminal.ts';

/** What people are shown beside the last check. */
export interface Beside {
  readonly pin: Pin | null;
  readonly paused: boolean;
  readonly pace: ShownPace;
  readonly duty: DutyView | undefined;
  readonly progress: AllProgress;
}

/** Where a status is shown. */
export interface Look {
  readonly nowMs: number;
  readonly paint: Paint;
  /** Undefined where it is no terminal: then lines stay as long as they are, and none is empty but the second. */
  readonly columns: number | undefined;
}

/** A name, a value, and what colours it where that matters; an empty one parts groups on a terminal. */
type Row = readonly [string, string, (Style | undefined)?] | readonly [];

const PARTING: Row = [];

const VERDICTS = {
  ready: { word: 'FAILBACK READY', style: ['green', 'bold'] },
  notReady: { word: 'NOT READY', style: ['yellow', 'bold'] },
  unknown: { word: 'UNKNOWN', style: ['magenta', 'bold'] },
} as const;

/** The state as lines: the word that people act on, why, and what it rests on. */
export function statusLines(
  seen: Status,
  bothDirections: boolean,
  verdict: Readiness,
  beside: Beside,
  look: Look,
): string[] {
  const { paint, columns } = look;
  const kind = verdict.ready ? 'ready' : verdict.known ? 'notReady' : 'unknown';
  const surplus = surplusSentence(seen.state, bothDirections);
  // Beside READY too: failing back loses nothing of the active site's, but the active site does not have it all.
  const said = verdict.ready && surplus !== undefined ? [surplus] : verdict.reasons;
  const width = columns === undefined ? Number.POSITIVE_INFINITY : columns - 2;
  const reasons = said.flatMap((reason) =>
    fold(onOneLine(reason), width).map((line) => `  ${line}`),
  );
  const { word, style } = VERDICTS[kind];
  const rows = rowsOf(seen, surplus, beside, look.nowMs).filter(
    (row) => columns !== undefined || row.length > 0,
  );
  const lines = tableLines(
    rows.map((row) => row.slice(0, 2) as string[]),
    {
      columns,
      style: (cell, column, row) =>
        column === 0 ? paint('dim', cell) : painted(paint, rows[row]?.[2], cell),
    },
  );
  return [paint(style as unknown as Style, word), ...reasons, '', ...lines];
}

const painted = (paint: Paint, style: Style | undefined, text: string): string =>
  style === undefined ? text : paint(style, text);

function rowsOf(
  seen: Status,
  surplus: string | undefined,
  { pin, paused, pace, duty, progress }: Beside,
  nowMs: number,
): Row[] {
  const { state } = seen;
  const checked = `${iso(state.lastCheckMs)}, ${formatDuration(nowMs - seen.atMs)} ago, ${seen.outcome}`;
  const rows: Row[] = [
    ['active site', `${state.activeSite} (${seen.activeReason})`],
    ...directionRows(seen, pin),
    PARTING,
    ['last check', checked],
    ['clean checks', `${state.consecutiveClean} of ${seen.cleanChecksWanted}`],
    ['gaps', number(state.gapsDetected), state.gapsDetected > 0 ? 'yellow' : undefined],
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
  rows.push(PARTING);
  for (const site of SITES) {
    const view = seen.sites[site];
    if (view?.healthy) rows.push([site, `healthy, ${view.observation.url}`]);
    else if (view) rows.push([site, view.reason, 'red']);
    rows.push([`${site} is`, identityText(state.identity, site)]);
  }
  for (const found of seen.twins ?? []) {
    rows.push([found.severity, findingText(found), found.severity === 'fault' ? 'red' : 'yellow']);
  }
  if (duty) rows.push(['this vm-sync', `${duty.role}'s, ${dutyText(duty, nowMs)}`]);
  const work = [...progressRows(progress), ...besideRows(state, surplus)];
  work.push(...beyondRows(state.beyondRepair), ...stuckRows(state.stuck));
  if (paused) work.push(['repairs', 'paused (vm-sync resume goes on)', 'yellow']);
  if (pace.reason !== null) {
    work.push([pace.stopped ? 'repairs stopped' : 'pace', pace.reason, 'yellow']);
  }
  return work.length > 0 ? [...rows, PARTING, ...work] : rows;
}

/** Each witness of the direction, and whether it is evidence enough for writing; a pin also before a check has seen it. */
function directionRows({ active }: Status, pin: Pin | null): Row[] {
  const rows: Row[] = [];
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
const progressRows = ({ runs, backfills }: AllProgress): Row[] => [
  ...runs.map(
    ({ run, progress }): Row => [
      run.state === 'paused' ? 'run (paused)' : 'run',
      `${formatDirection(run.direction)}: ${formatProgress(progress)}`,
    ],
  ),
  ...backfills
    .filter(({ backfill }) => isUnfinished(backfill))
    .map(
      ({ backfill, share, waits }): Row => [
        'backfill',
        [
          `${backfill.id}, ${formatDirection(directionOf(backfill.direction))}, ${formatWindow(backfill.window)}: ${formatShare(share.provenOrRepaired)} proven or repaired`,
          ...(waits === null ? [] : [waits]),
        ].join('; '),
      ],
    ),
];

/** What only the passive site has, what is done about it, and values that differ. */
function besideRows(state: SyncState, surplus: string | undefined): Row[] {
  const rows: Row[] = [];
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
function newestRows<T>(name: string, all: readonly T[], text: (one: T) => string): Row[] {
  const rows = all.slice(-MOST_ROWS).map((one): Row => [name, text(one)]);
  const more = all.length - rows.length;
  return more > 0 ? [...rows, [name, `and ${number(more)} older`]] : rows;
}

const beyondRows = (all: readonly BeyondRepair[]): Row[] =>
  newestRows('beyond repair', all, ({ direction: key, window, reason, samplesMissing }) => {
    const direction = directionOf(key);
    const lost = samplesMissing === null ? '' : `, at least ${number(samplesMissing)} samples`;
    return `${formatDirection(direction)}, ${formatWindow(window)}${lost}: ${beyondReasonText(reason, direction)}`;
  });

const stuckRows = ({ attempted }: StuckMemory): Row[] =>
  newestRows(
    'stuck',
    attempted.filter((attempt) => attempt.stuck),
    ({ direction, window, samples, firstMs, times, acknowledged }) =>
      `${formatDirection(directionOf(direction))}, ${formatWindow(window)}: ${number(samples)} samples, tried ${times === 1 ? 'once' : `${times} times`} since ${iso(firstMs)}${acknowledged ? `, acknowledged by ${acknowledged.who}` : ''}`,
  );
