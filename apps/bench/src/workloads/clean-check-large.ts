import { availableBytes } from '../memory.ts';
import { median } from '../results.ts';
import type { Bench, Workload } from '../workload.ts';
import { checkProven, makeLiveSource, startProven } from './clean-check.ts';

const MIB = 2 ** 20;
const CHECK_INTERVAL_S = 120;
/** What a series costs a server, roughly, with its samples and what a query holds of it; there are two. */
const BYTES_PER_SERIES = 2 * 4_096;
const SHARE_OF_MEMORY = 0.6;

/** As many series as fit: a check must end before the next one begins, and fit itself. */
export const cleanCheckLarge: Workload = {
  name: 'clean-check-large',
  about: '1,000,000 series × 1 h at 60 s, or as many as fit, both sites equal (1.145, 1.145)',
  async run(bench: Bench) {
    const fitting = Math.floor((availableBytes() * SHARE_OF_MEMORY) / BYTES_PER_SERIES);
    const series = Math.min(bench.sources.series(1_000_000), fitting);
    const source = await makeLiveSource(bench, series);
    await using ends = new AsyncDisposableStack();
    const { vmSync, tookMs: first } = await startProven(source, ends);
    bench.say(`  checks until all was proven: ${first.join(' ms, ')} ms`);
    const steady: number[] = [];
    for (let round = 0; round < bench.rounds; round++) {
      const { tookMs } = await checkProven(vmSync);
      steady.push(tookMs);
      bench.say(`  round ${round + 1}: ${tookMs} ms`);
    }
    const row = { workload: 'clean-check-large', unit: 's', target: CHECK_INTERVAL_S } as const;
    const peak = (kind: 'scheduler' | 'worker') => vmSync.peakBytes(kind) / MIB;
    return {
      rows: [
        { ...row, measure: 'time', ours: median(steady) / 1000 },
        { ...row, measure: 'the slowest of the first checks', ours: Math.max(...first) / 1000 },
        {
          workload: 'clean-check-large',
          measure: 'peak memory of the scheduler, which checks',
          unit: 'MiB',
          ours: peak('scheduler'),
          target: 400,
        },
        {
          workload: 'clean-check-large',
          measure: 'peak memory of the worker',
          unit: 'MiB',
          ours: peak('worker'),
          target: 400,
        },
      ],
      notes: [
        `${series} series${series === fitting ? ' (as many as fit)' : ''}; time is the check's own tookMs, all having ` +
          'been proven before; the first checks prove everything and survey the history; peak memory is VmHWM, from the start',
      ],
      rounds: { steady, first },
    };
  },
};
