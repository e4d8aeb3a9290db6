import {
  formatDirection,
  formatDuration,
  formatWindow,
  type ReconcileForecast,
} from '@vm-sync/core';
import { askToReconcile, askToStopReconcile } from '@vm-sync/queue';
import type { Config } from '@vm-sync/runtime';
import { forecastReconcile } from '../forecast-reconcile.ts';
import { answer, EXIT, type ExitCode, type Json, number } from '../output.ts';
import { showing } from '../progress-line.ts';
import { withRedis } from '../redis.ts';

type Options = Json & { readonly dryRun?: boolean };

/** Has what only the passive site has recovered once by the scheduler; or says, as a dry run, what that would copy. */
export async function reconcile(config: Config, options: Options): Promise<ExitCode> {
  if (options.dryRun) {
    const forecast = await showing((tell) => forecastReconcile(config, tell));
    answer(options, forecast, describeForecast(forecast));
    return forecast.samples > 0 ? EXIT.found : EXIT.fine;
  }
  return withRedis(config, async (desk) => {
    const asked = await desk.noted('reconcile', '', (who) =>
      askToReconcile(desk, config.syncDirection, Date.now(), who),
    );
    const text = `reconcile ${asked.id} asked for; vm-sync status --watch shows how it goes`;
    answer(options, asked, text);
    return EXIT.fine;
  });
}

export const stopReconcile = (config: Config, options: Json): Promise<ExitCode> =>
  withRedis(config, async (desk) => {
    await desk.noted('cancel-reconcile', '', (who) => askToStopReconcile(desk, who));
    const text = 'asked to cancel the reconcile; vm-sync status shows when it is';
    answer(options, { asked: 'cancel' }, text);
    return EXIT.fine;
  });

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
