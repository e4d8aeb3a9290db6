import { startSite } from '../data.ts';
import { median } from '../results.ts';
import type { Source } from '../sources.ts';
import { startVmSync, type VmSync } from '../vm-sync.ts';
import type { Bench, Workload } from '../workload.ts';
import { curlCounts } from '../yardsticks.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const BUCKET_MS = 300_000;

/** Nothing is missing, and all was proven before: what a check costs, day in, day out. */
export const cleanCheck: Workload = {
  name: 'clean-check',
  about: '100,000 series × 1 h at 60 s, both sites equal and proven (1.145, 1.145)',
  async run(bench: Bench) {
    const source = await makeLiveSource(bench, bench.sources.series(100_000));
    await using ends = new AsyncDisposableStack();
    const { sites, vmSync } = await startProven(source, ends);
    const ours: number[] = [];
    const curl: number[] = [];
    for (let round = 0; round < bench.rounds; round++) {
      const { tookMs, horizonMs } = await checkProven(vmSync);
      const window = { fromMs: horizonMs - HOUR_MS, toMs: horizonMs };
      const counted = await curlCounts(sites, window, BUCKET_MS);
      ours.push(tookMs);
      curl.push(counted.tookMs);
      bench.say(
        `  round ${round + 1}: vm-sync ${tookMs} ms, curl ${Math.round(counted.tookMs)} ms`,
      );
    }
    return {
      rows: [
        {
          workload: 'clean-check',
          measure: 'time',
          unit: 's',
          ours: median(ours) / 1000,
          yardstick: { name: 'two count queries by curl', value: median(curl) / 1000 },
          target: 1.5,
        },
      ],
      notes: [
        `${source.series} series; ours is the check's own tookMs, all of the look-back hour having been proven before; ` +
          'curl asks both sites at the same time for the counts by series and 5-minute bucket of the same hour',
      ],
      rounds: { 'vm-sync': ours, curl },
    };
  },
};

/** Series that go on for a while from now, as with a collector that is at work: the look-back hour stays full. */
export function makeLiveSource({ sources }: Bench, series: number): Promise<Source> {
  const nowMs = Math.floor(Date.now() / BUCKET_MS) * BUCKET_MS;
  const shape = { fromMs: nowMs - 70 * MINUTE_MS, toMs: nowMs + 20 * MINUTE_MS, stepMs: MINUTE_MS };
  return sources.make('newest', { ...shape, series });
}

/** Two sites with the same data, and a vm-sync that has proven them equal and surveyed their history. */
export async function startProven(source: Source, ends: AsyncDisposableStack) {
  const sites = [
    await startSite(ends, source.version, source.folder),
    await startSite(ends, source.version, source.folder),
  ] as const;
  const [primary, dr] = sites;
  const vmSync = ends.use(
    await startVmSync({ source: primary.url, destination: dr.url, queryWindowMs: HOUR_MS }),
  );
  const tookMs: number[] = [];
  let status = await vmSync.untilChecked();
  while (!status.state.failbackReady) {
    if (status.outcome !== 'clean') throw new Error(`a check of equal sites is ${status.outcome}`);
    tookMs.push(status.tookMs);
    status = await vmSync.check();
  }
  tookMs.push(status.tookMs);
  return { sites, vmSync, tookMs };
}

/** A check with nothing to prove: one of the same horizon as the check before it. */
export async function checkProven(vmSync: VmSync): Promise<{ tookMs: number; horizonMs: number }> {
  let before = await vmSync.check();
  for (;;) {
    const status = await vmSync.check();
    if (status.outcome !== 'clean' || status.horizonMs === null) {
      throw new Error(`a check of equal sites is ${status.outcome}`);
    }
    if (status.horizonMs === before.horizonMs) {
      return { tookMs: status.tookMs, horizonMs: status.horizonMs };
    }
    before = status;
  }
}
