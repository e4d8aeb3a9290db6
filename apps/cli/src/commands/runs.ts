import { formatDirection, formatDuration, formatShare } from '@vm-sync/core';
import { loadProgress, type RunProgress, type RunRecord } from '@vm-sync/queue';
import type { Config } from '@vm-sync/runtime';
import { answer, EXIT, type ExitCode, iso, type Json, number, paint, table } from '../output.ts';
import { withRedis } from '../redis.ts';

/** So many are shown; the dashboard has them all. */
const RUNS_SHOWN = 20;

const HEAD = ['run', 'began', 'state', 'direction', 'chunks', 'samples', 'took'];
const NUMBERS = [4, 5];

/** The last repairs, newest first. */
export const listRuns = (config: Config, options: Json): Promise<ExitCode> =>
  withRedis(config, async ({ store }) => {
    const runs = await store.listRuns(RUNS_SHOWN);
    const { runs: open } = await loadProgress(store, undefined, Date.now());
    if (runs.length === 0) {
      answer(options, { runs }, 'nothing has been repaired yet');
      return EXIT.fine;
    }
    const rows = [HEAD, ...runs.map((run) => rowOf(run, open))];
    const style = (text: string, _: number, row: number) =>
      row === 0 ? paint('bold', text) : text;
    answer(options, { runs }, table(rows, { numbers: NUMBERS, style }));
    return EXIT.fine;
  });

function rowOf(run: RunRecord, open: readonly RunProgress[]): string[] {
  const going = open.find((one) => one.run.id === run.id);
  const state = going ? `${run.state}, ${formatShare(going.progress.share)}` : run.state;
  const took = run.settledMs === null ? '-' : formatDuration(run.settledMs - run.createdMs);
  return [
    run.id,
    iso(run.createdMs),
    state,
    formatDirection(run.direction),
    number(run.chunks),
    number(run.settledMs === null ? run.samplesPlanned : run.samplesCopied),
    took,
  ];
}
