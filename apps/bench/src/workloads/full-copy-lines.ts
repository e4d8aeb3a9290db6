import { median } from '../results.ts';
import { type Bench, contest, type Workload } from '../workload.ts';
import type { Timed } from '../yardsticks.ts';
import { type Copied, copyBy, copyByVmSync, TIMED } from './full-copy.ts';

/** 48 hours into an empty destination that does not read the source's native format. */
export const fullCopyLines: Workload = {
  name: 'full-copy-lines',
  about: '10,000 series × 48 h at 15 s into an empty destination (1.79.5 → 1.145)',
  async run(bench: Bench) {
    const source = await bench.sources.twoDays('oldest');
    const given = await contest<Timed | Copied, 'vm-sync' | 'curl'>(bench, {
      'vm-sync': (ends) => copyByVmSync(source, source, ends),
      curl: (ends) => copyBy('curl, JSON lines', source, ends),
    });
    const took = (name: 'vm-sync' | 'curl') =>
      median(given[name].map(({ tookMs }) => tookMs / 1000));
    const workerMiB = median((given['vm-sync'] as Copied[]).map((copied) => copied.workerMiB));
    return {
      rows: [
        {
          workload: 'full-copy-lines',
          measure: 'time',
          unit: 's',
          ours: took('vm-sync'),
          yardstick: { name: 'curl JSON lines', value: took('curl') },
          target: 1.3,
        },
        {
          workload: 'full-copy-lines',
          measure: 'peak memory of the worker',
          unit: 'MiB',
          ours: workerMiB,
        },
      ],
      notes: [`${source.samples} samples of ${source.series} series; ${TIMED}`],
      rounds: given,
    };
  },
};
