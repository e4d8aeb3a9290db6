import {
  type BackfillChange,
  type BackfillForecast,
  type BackfillRange,
  BackfillRefusedError,
  directionOf,
  formatDirection,
  formatDuration,
  formatProgress,
  formatShare,
  formatWindow,
  isUnfinished,
  readBackfillWish,
  type Window,
} from '@vm-sync/core';
import { askForBackfill, askToChange, type BackfillProgress, loadProgress } from '@vm-sync/queue';
import type { Config } from '@vm-sync/runtime';
import { forecastBackfill } from '../forecast-backfill.ts';
import {
  answer,
  complain,
  EXIT,
  type ExitCode,
  type Json,
  number,
  print,
  printJson,
} from '../output.ts';
import { type Going, showing } from '../progress-line.ts';
import { type Desk, withRedis } from '../redis.ts';
import { watching } from '../watch.ts';

type Options = Json & {
  readonly from: string;
  readonly to: string;
  readonly match: readonly string[];
  readonly dryRun?: boolean;
  readonly watch?: boolean;
};

/** Has a range of time proven and repaired by the scheduler; or says, as a dry run, what that would copy. */
export const backfill = (config: Config, options: Options): Promise<ExitCode> =>
  refusing(async () => {
    const grid = { nowMs: Date.now(), settleMs: config.settleMs, stepMs: config.queryStepMs };
    const range = readBackfillWish(options, grid);
    if (options.dryRun) {
      const forecast = await showing((tell) => forecastBackfill(config, range, tell));
      answer(options, forecast, describeForecast(forecast));
      return forecast.samples > 0 ? EXIT.found : EXIT.fine;
    }
    return withRedis(config, async (desk) => {
      const asked = await desk.noted('backfill', rangeText(range), (who) =>
        askForBackfill(desk, range, grid, who),
      );
      const asks = `backfill ${asked.id} asked for: ${rangeText(asked)}`;
      const head = asked.hint === undefined ? asks : `${asks}\nit proves, and ${asked.hint} too`;
      if (options.watch) {
        if (!options.json) print(head);
        return follow(desk, asked.id, options);
      }
      const hint =
        'vm-sync backfill list, vm-sync backfill watch ID and the status page show how it goes';
      answer(options, asked, head, hint.replace('ID', asked.id));
      return EXIT.fine;
    });
  });

const rangeText = ({ window, match }: BackfillRange): string =>
  [formatWindow(window), ...match].join(' ');

/** Whatever is wrong with a wish is said by the option's name. */
async function refusing(act: () => Promise<ExitCode>): Promise<ExitCode> {
  try {
    return await act();
  } catch (error) {
    if (!(error instanceof BackfillRefusedError) || error.field === undefined) throw error;
    throw new Error(`--${error.message}`);
  }
}

/** Shows a backfill that was asked for before, until it has ended. */
export const watchBackfill = (
  config: Config,
  options: Json,
  [id = '']: readonly string[],
): Promise<ExitCode> =>
  withRedis(config, async (desk) => {
    if ((await lookAt(desk, id)) === undefined) {
      throw new Error(`no backfill ${id} is known: vm-sync backfill list names them`);
    }
    return follow(desk, id, options);
  });

const FOLLOW_MS = 1_000;

/** Until it has ended, or the person who waits for it has seen enough: then it goes on by itself. */
async function follow(desk: Desk, id: string, options: Json): Promise<ExitCode> {
  const seen = await showing(async (tell) => {
    let last: BackfillProgress | undefined;
    await watching(FOLLOW_MS, async () => {
      last = await lookAt(desk, id);
      tell(goingOf(last, id));
      return last && !isUnfinished(last.backfill) ? 'done' : 'go on';
    });
    return last;
  });
  if (options.json) printJson({ id, ...seen });
  else if (seen) print(describeBackfill(seen));
  if (seen?.backfill.state === 'done') return EXIT.fine;
  if (!seen || isUnfinished(seen.backfill)) {
    complain(`the backfill goes on: vm-sync backfill watch ${id}, or cancel ${id}`);
  }
  return EXIT.found;
}

async function lookAt({ store }: Desk, id: string): Promise<BackfillProgress | undefined> {
  const { backfills } = await loadProgress(store, await store.loadState(), Date.now());
  return backfills.find(({ backfill }) => backfill.id === id);
}

function goingOf(seen: BackfillProgress | undefined, id: string): Going {
  if (!seen) return { act: `backfill ${id} waits for the scheduler`, share: null };
  const { progress, share, waits } = seen;
  const chunks = progress ? `, ${progress.chunksDone} of ${progress.chunksPlanned} chunks` : '';
  const left = progress?.leftMs ? `, ${formatDuration(progress.leftMs)} left` : '';
  return { act: `backfill ${waits ?? `${id}${chunks}${left}`}`, share: share.provenOrRepaired };
}

/** A forecast is to be read at a glance; `--json` has every window. */
const WINDOWS_SHOWN = 10;

function describeForecast(forecast: BackfillForecast): string {
  const { direction, window, match, lacking, samples, atLeast } = forecast;
  const head = `dry run, ${formatDirection(direction)}: ${[formatWindow(window), ...match].join(' ')}`;
  if (samples === 0) {
    const how = forecast.byCountsOnly
      ? 'nothing is missing by counts; a backfill compares the rest of it exactly'
      : 'nothing is missing';
    return `${head}\n${how}`;
  }
  const least = atLeast ? 'at least ' : '';
  const takes = forecast.takesMs === null ? 'unknown' : `about ${formatDuration(forecast.takesMs)}`;
  return [
    head,
    `${least}${number(samples)} samples of up to ${number(forecast.series)} series are missing on ${direction.destination}, in ${number(lacking.length)} windows (${number(forecast.chunks)} chunks)`,
    ...windowLines(lacking),
    `bytes: about ${number(forecast.bytes)} (${forecast.bytesBasis})`,
    `time: ${takes} (${forecast.timeBasis})`,
  ].join('\n');
}

function windowLines(windows: readonly Window[]): string[] {
  const lines = windows.slice(0, WINDOWS_SHOWN).map((window) => `  ${formatWindow(window)}`);
  const more = windows.length - WINDOWS_SHOWN;
  return more > 0 ? [...lines, `  and ${number(more)} more`] : lines;
}

/** The backfills that are remembered, the last one first. */
export const listBackfills = (config: Config, options: Json): Promise<ExitCode> =>
  withRedis(config, async ({ store }) => {
    const { backfills } = await loadProgress(store, await store.loadState(), Date.now());
    const none = 'no backfill has been asked for';
    answer(options, { backfills }, backfills.map(describeBackfill).join('\n') || none);
    return EXIT.fine;
  });

function describeBackfill({ backfill, share, progress, waits }: BackfillProgress): string {
  const { id, state, direction, window, match, samplesRepaired } = backfill;
  const range = [formatDirection(directionOf(direction)), formatWindow(window), ...match].join(' ');
  const lines = [`${id}  ${state}  ${range}`];
  if (state !== 'done') {
    lines.push(
      `  ${formatShare(share.provenOrRepaired)} proven or repaired, ${formatShare(share.proven)} proven`,
    );
  }
  if (progress) lines.push(`  ${formatProgress(progress)}`);
  if (waits !== null) lines.push(`  ${waits}`);
  lines.push(`  ${number(samplesRepaired)} samples repaired`);
  return lines.join('\n');
}

export const changeBackfill =
  (change: BackfillChange) =>
  (config: Config, options: Json, [id = '']: readonly string[]): Promise<ExitCode> =>
    withRedis(config, async (desk) => {
      await desk.noted(`${change}-backfill`, id, (who) => askToChange(desk, id, change, who));
      const text = `asked to ${change} backfill ${id}; vm-sync backfill list shows when it is`;
      answer(options, { id, asked: change }, text);
      return EXIT.fine;
    });
