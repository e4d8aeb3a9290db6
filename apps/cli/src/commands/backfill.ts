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
  readBackfillWish,
  type Window,
} from '@vm-sync/core';
import { askForBackfill, askToChange, type BackfillProgress, loadProgress } from '@vm-sync/queue';
import type { Config } from '@vm-sync/runtime';
import { audited } from '../audited.ts';
import { forecastBackfill } from '../forecast-backfill.ts';
import { complain, EXIT, type ExitCode, number, print, printJson } from '../output.ts';
import { withRedis } from '../redis.ts';

interface Options {
  readonly from: string;
  readonly to: string;
  readonly match: readonly string[];
  readonly dryRun?: boolean;
  readonly json?: boolean;
}

/** Has a range of time proven and repaired by the scheduler; or says, as a dry run, what that would copy. */
export const backfill = (config: Config, options: Options): Promise<ExitCode> =>
  refusing(async () => {
    const grid = { nowMs: Date.now(), settleMs: config.settleMs, stepMs: config.queryStepMs };
    const range = readBackfillWish(options, grid);
    if (options.dryRun) {
      const forecast = await forecastBackfill(config, range);
      if (options.json) printJson(forecast);
      else print(describeForecast(forecast));
      return forecast.samples > 0 ? EXIT.found : EXIT.fine;
    }
    return withRedis(config, async ({ audit, checks, dutyStore, store }) => {
      const line = { action: 'backfill', what: rangeText(range) };
      const asked = await audited(audit, line, (who) =>
        askForBackfill({ store, checks, dutyStore }, range, grid, who),
      );
      if (options.json) printJson(asked);
      else {
        print(`backfill ${asked.id} asked for: ${rangeText(asked)}`);
        print('vm-sync backfill list and the status page show how it goes');
      }
      return EXIT.fine;
    });
  });

const rangeText = ({ window, match }: BackfillRange): string =>
  [formatWindow(window), ...match].join(' ');

/** Whatever is wrong with a wish is said in a sentence, by the option's name. */
async function refusing(act: () => Promise<ExitCode>): Promise<ExitCode> {
  try {
    return await act();
  } catch (error) {
    if (!(error instanceof BackfillRefusedError)) throw error;
    complain(error.field === undefined ? error.message : `--${error.message}`);
    return EXIT.unknown;
  }
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
export const listBackfills = (config: Config, { json }: { json?: boolean }): Promise<ExitCode> =>
  withRedis(config, async ({ store }) => {
    const { backfills } = await loadProgress(store, await store.loadState(), Date.now());
    if (json) printJson({ backfills });
    else if (backfills.length === 0) print('no backfill has been asked for');
    else for (const one of backfills) print(describeBackfill(one));
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
  (config: Config, _: unknown, [id = '']: readonly string[]): Promise<ExitCode> =>
    refusing(() =>
      withRedis(config, async ({ audit, checks, store }) => {
        await audited(audit, { action: `${change}-backfill`, what: id }, (who) =>
          askToChange({ store, checks }, id, change, who),
        );
        print(`asked to ${change} backfill ${id}; vm-sync backfill list shows when it is`);
        return EXIT.fine;
      }),
    );
