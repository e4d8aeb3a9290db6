import {
  type Chunk,
  conflictsAfter,
  conflictText,
  type Direction,
  EMPTY_STATE,
  formatDirection,
  formatDuration,
  formatWindow,
  reverse,
  type SyncState,
  surplusText,
  totalConflicts,
  type Window,
} from '@vm-sync/core';
import { type Config, readStateFile } from '@vm-sync/runtime';
import { checkSettings } from '@vm-sync/scheduler';
import { type CheckResult, type CheckSettings, checkGaps, NOTHING_SET_ASIDE } from '@vm-sync/steps';
import { openDatabases } from '@vm-sync/victoria-metrics';
import { lookAtDirection } from '../direction.ts';
import {
  complain,
  EXIT,
  type ExitCode,
  iso,
  type Json,
  number,
  paint,
  print,
  printJson,
  table,
} from '../output.ts';
import { type Report, showing } from '../progress-line.ts';

/** Compares both sites now; needs no Redis and writes nothing. */
export async function check(config: Config, { json }: Json): Promise<ExitCode> {
  const { report, state } = await showing((tell) => compareNow(config, {}, tell));
  if (json) printJson(report);
  else if (report.outcome === 'unknown') print(`${paint('magenta', 'unknown')}: ${report.reason}`);
  else {
    const { gaps, missing, tolerated, series, sourceSamples, destinationSamples } = report.tallied;
    const { reason, site, witnesses } = report.active;
    const style = report.outcome === 'clean' ? 'green' : 'yellow';
    print(`${paint(style, report.outcome)}: ${formatDirection(report.direction)}, ${reason}`);
    for (const { name, says, text } of witnesses) {
      if (says !== null && says !== site) print(`but the witness ${name} says ${says}: ${text}`);
    }
    print(
      `${number(series)} series compared in ${formatDuration(report.tookMs)}: ${number(sourceSamples)} samples on ${report.direction.source}, ${number(destinationSamples)} on ${report.direction.destination}`,
    );
    if (gaps > 0)
      print(
        `${number(gaps)} gaps, ${number(missing)} samples missing on ${report.direction.destination}`,
      );
    for (const window of report.forward.damaged) print(`  ${formatWindow(window)}`);
    if (report.leftOut)
      print('more may be missing: the comparison ended at the bounds of one plan');
    if (tolerated > 0) print(`${number(tolerated)} samples missing within GAP_THRESHOLD`);
    for (const line of beside(config, report, state)) print(line);
    const { differing, complete } = report.history;
    for (const window of differing)
      print(`older history differs: ${formatWindow(window)} (${backfillCommand(window)})`);
    if (gaps === 0 && !complete) print('older history has not been surveyed to its end');
  }
  return codeOf(report);
}

/** What a person types to have a range proven and repaired. */
const backfillCommand = ({ fromMs, toMs }: Window): string =>
  `vm-sync backfill --from ${iso(fromMs)} --to ${iso(toMs)}`;

type Known = Exclude<CheckResult['report'], { outcome: 'unknown' }>;

/** What is told and is no gap: what only the passive site has, and values that differ. */
function beside(config: Config, report: Known, state: SyncState): string[] {
  const lines: string[] = [];
  const { counted = [], failed = null } = report.surplus ?? {};
  const samples = counted.reduce((sum, one) => sum + one.samples, 0);
  const isBoth = config.syncDirection === 'both';
  if (samples > 0) {
    const what = surplusText({ samples, atLeast: failed !== null }, isBoth);
    lines.push(`${formatDirection(reverse(report.direction))}: ${what}`);
  }
  if (failed !== null) lines.push(`not all that only the passive site has was counted: ${failed}`);
  const conflicts = totalConflicts(conflictsAfter(state.conflicts, report.values, report.atMs, []));
  if (conflicts.samples > 0) lines.push(conflictText(conflicts));
  const gaveUp = report.values?.gaveUp ?? null;
  if (gaveUp !== null) lines.push(`not all values were compared: ${gaveUp}`);
  return lines;
}

const codeOf = (report: CheckResult['report']): ExitCode => {
  if (report.outcome === 'unknown') return EXIT.unknown;
  return report.outcome === 'clean' && report.history.differing.length === 0
    ? EXIT.fine
    : EXIT.found;
};

/** Says what a repair would copy; a dry run. */
export async function plan(config: Config, { json }: Json): Promise<ExitCode> {
  const { report, plans } = await showing((tell) => compareNow(config, {}, tell));
  const chunksOf = (recovery: boolean) =>
    plans.filter((one) => one.recovery === recovery).flatMap((one) => one.chunks);
  const [chunks, recovered] = [chunksOf(false), chunksOf(true)];
  if (report.outcome === 'unknown') throw new Error(`unknown: ${report.reason}`);
  if (json) printJson({ direction: report.direction, leftOut: report.leftOut, chunks, recovered });
  else {
    printChunks(chunks, report.direction);
    if (recovered.length > 0) printChunks(recovered, reverse(report.direction));
    if (report.leftOut) print('more is planned when these are done');
  }
  return chunks.length + recovered.length > 0 ? EXIT.found : EXIT.fine;
}

function printChunks(chunks: readonly Chunk[], direction: Direction): void {
  print(`${number(chunks.length)} chunks, ${formatDirection(direction)}`);
  if (chunks.length === 0) return;
  const rows = chunks.map(({ window, selectors, series, samples }) => [
    formatWindow(window),
    `${number(samples)} samples of ${number(series)} series`,
    selectors.length === 1 ? (selectors[0] ?? '') : `${selectors.length} selectors`,
  ]);
  print(table(rows, { indent: '  ' }));
}

/** One comparison by the scheduler's own step; by default of what the remembered state says is due. */
export async function compareNow(
  config: Config,
  more: Partial<Pick<CheckSettings, 'recover'>> = {},
  progress: Report = () => {},
): Promise<CheckResult> {
  const state = await rememberedState(config);
  const databases = openDatabases(config.vm);
  try {
    return await checkGaps(
      {
        sites: databases,
        resolveActive: () => lookAtDirection(config, state),
        now: Date.now,
        setAside: async () => NOTHING_SET_ASIDE,
        setAsideRecoveries: async () => NOTHING_SET_ASIDE,
        progress,
      },
      // Nobody waits for this one but the person who asked.
      {
        ...checkSettings(config),
        proveMs: Number.POSITIVE_INFINITY,
        surplusMs: Number.POSITIVE_INFINITY,
        ...more,
      },
      // What an earlier check counted is counted again.
      { ...state, surplus: EMPTY_STATE.surplus },
    );
  } finally {
    await Promise.all([databases.primary.close(), databases.dr.close()]);
  }
}

/** What the scheduler left unproven is compared too, where its state file can be read from here. */
async function rememberedState(config: Config): Promise<SyncState> {
  try {
    return (await readStateFile(config.stateFile)) ?? EMPTY_STATE;
  } catch (error) {
    complain(`${(error as Error).message}; comparing the last QUERY_WINDOW only`);
    return EMPTY_STATE;
  }
}
