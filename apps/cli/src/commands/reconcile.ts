import {
  formatDirection,
  formatDuration,
  formatWindow,
  type ReconcileForecast,
} from '@vm-sync/core';
import { askToReconcile, askToStopReconcile, ReconcileRefusedError } from '@vm-sync/queue';
import type { Config } from '@vm-sync/runtime';
import { audited } from '../audited.ts';
import { forecastReconcile } from '../forecast-reconcile.ts';
import { complain, EXIT, type ExitCode, number, print, printJson } from '../output.ts';
import { withRedis } from '../redis.ts';

interface Options {
  readonly dryRun?: boolean;
  readonly json?: boolean;
}

/** Has what only the passive site has recovered once by the scheduler; or says, as a dry run, what that would copy. */
export const reconcile = (config: Config, { dryRun, json }: Options): Promise<ExitCode> =>
  refusing(async () => {
    if (dryRun) {
      const forecast = await forecastReconcile(config);
      if (json) printJson(forecast);
      else print(describeForecast(forecast));
      return forecast.samples > 0 ? EXIT.found : EXIT.fine;
    }
    return withRedis(config, async (desk) => {
      const asked = await audited(desk.audit, { action: 'reconcile' }, (who) =>
        askToReconcile(desk, config.syncDirection, Date.now(), who),
      );
      if (json) printJson(asked);
      else print(`reconcile ${asked.id} asked for; vm-sync status shows how it goes`);
      return EXIT.fine;
    });
  });

export const stopReconcile = (config: Config): Promise<ExitCode> =>
  refusing(() =>
    withRedis(config, async (desk) => {
      await audited(desk.audit, { action: 'cancel-reconcile' }, (who) =>
        askToStopReconcile(desk, who),
      );
      print('asked to cancel the reconcile; vm-sync status shows when it is');
      return EXIT.fine;
    }),
  );

async function refusing(act: () => Promise<ExitCode>): Promise<ExitCode> {
  try {
    return await act();
  } catch (error) {
    if (!(error instanceof ReconcileRefusedError)) throw error;
    complain(error.message);
    return EXIT.unknown;
  }
}

/** A forecast is to be read at a glance; `--json` has every window. */
const WINDOWS_SHOWN = 10;

function describeForecast(forecast: ReconcileForecast): string {
  const { direction, windows, samples, series, chunks, takesMs } = forecast;
  const { source, destination } = direction;
  const head = `dry run, ${formatDirection(direction)}`;
  if (samples === 0) return `${head}\n${destination} holds everything that ${source} has`;
  const more = windows.length - WINDOWS_SHOWN;
  const takes = takesMs === null ? 'unknown' : `about ${formatDuration(takesMs)}`;
  return [
    head,
    `${number(samples)} samples of up to ${number(series)} series are on ${source} only, in ${number(windows.length)} windows (${number(chunks)} chunks)`,
    ...windows.slice(0, WINDOWS_SHOWN).map((window) => `  ${formatWindow(window)}`),
    ...(more > 0 ? [`  and ${number(more)} more`] : []),
    `bytes: about ${number(forecast.bytes)} (${forecast.bytesBasis})`,
    `time: ${takes} (${forecast.timeBasis})`,
  ].join('\n');
}
