import { makeFolder, startSite } from '../data.ts';
import { median } from '../results.ts';
import type { Source } from '../sources.ts';
import { type Bench, contest, type Workload } from '../workload.ts';
import { curlCopy, type Timed } from '../yardsticks.ts';
import { type Copied, copyBy, copyByVmSync, TIMED } from './full-copy.ts';

const HOUR_MS = 3_600_000;

/** Two hours are missing in 48, and nobody says which. */
export const hole: Workload = {
  name: 'hole',
  about: '2 h missing in all of 10,000 series × 48 h at 15 s, range not told (1.145 → 1.145)',
  async run(bench: Bench) {
    const source = await bench.sources.twoDays('newest');
    const folder = await withHole(source);
    const given = await contest<Timed | Copied, 'vm-sync' | 'vmctl'>(bench, {
      'vm-sync': (ends) => copyByVmSync(source, source, ends, folder),
      vmctl: (ends) => copyBy('vmctl', source, ends, folder),
    });
    const took = (name: 'vm-sync' | 'vmctl') =>
      median(given[name].map(({ tookMs }) => tookMs / 1000));
    const copied = given['vm-sync'] as Copied[];
    return {
      rows: [
        {
          workload: 'hole',
          measure: 'time',
          unit: 's',
          ours: took('vm-sync'),
          yardstick: { name: 'vmctl, 48 h', value: took('vmctl') },
          target: 0.4,
        },
        {
          workload: 'hole',
          measure: 'of that: finding it',
          unit: 's',
          ours: median(copied.map(({ detectedMs }) => detectedMs / 1000)),
        },
      ],
      notes: [`${source.samples / 24} of ${source.samples} samples missing; ${TIMED}`],
      rounds: given,
    };
  },
};

/** A destination that has everything but two hours in the last third. */
async function withHole(source: Source): Promise<string> {
  const holeFromMs = source.fromMs + 33 * HOUR_MS;
  const holeToMs = holeFromMs + 2 * HOUR_MS;
  await using ends = new AsyncDisposableStack();
  const from = await startSite(ends, source.version, source.folder);
  return await makeFolder('newest', async (to) => {
    await curlCopy('native', from, to, { fromMs: source.fromMs, toMs: holeFromMs });
    // An export has both of its ends, a window only the later one.
    await curlCopy('native', from, to, { fromMs: holeToMs + 1, toMs: source.toMs });
  });
}
