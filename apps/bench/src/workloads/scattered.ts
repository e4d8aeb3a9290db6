import { type Moved, startCountingProxy } from '../counting-proxy.ts';
import { assertComplete, startSite } from '../data.ts';
import { randomOf } from '../generate.ts';
import { median } from '../results.ts';
import { settledRange, windowBackTo } from '../sources.ts';
import { startVmSync } from '../vm-sync.ts';
import { type Bench, contest, type Workload } from '../workload.ts';
import { compressedExportBytes, curlCopy } from '../yardsticks.ts';

const HOUR_MS = 3_600_000;
const BUCKET_MS = 300_000;
const BUCKETS = HOUR_MS / BUCKET_MS;
const MISSING_SHARE = 0.01;
const MB = 1e6;

/** Few buckets are missing, all over the place: what counts is how little goes over the line. */
export const scattered: Workload = {
  name: 'scattered',
  about:
    '1 % of (series, 5-minute bucket) pairs missing in 10,000 series × 1 h at 15 s (1.145 → 1.145)',
  async run(bench: Bench) {
    const shape = {
      ...settledRange(HOUR_MS),
      series: bench.sources.series(10_000),
      stepMs: 15_000,
    };
    const missing = missingPairs(shape.series);
    const source = await bench.sources.make('newest', shape);
    const damaged = await bench.sources.make('newest', shape, (series, atMs) =>
      missing.has(series * BUCKETS + Math.ceil((atMs - shape.fromMs) / BUCKET_MS) - 1),
    );
    const given = await contest<Moved, 'vm-sync' | 'curl'>(bench, {
      async 'vm-sync'(ends) {
        const from = await startSite(ends, 'newest', source.folder);
        const to = await startSite(ends, 'newest', damaged.folder);
        const proxies = await Promise.all([from, to].map(({ url }) => startCountingProxy(url)));
        for (const proxy of proxies) ends.use(proxy);
        const [before, behind] = proxies.map(({ url }) => url) as [string, string];
        await to.stop();
        const vmSync = ends.use(
          await startVmSync({
            source: before,
            destination: behind,
            queryWindowMs: windowBackTo(shape.fromMs),
          }),
        );
        await vmSync.untilChecked();
        await to.start();
        const earlier = sumOf(proxies.map(({ moved }) => moved));
        const repair = await vmSync.repair();
        const bytes = lessBy(sumOf(proxies.map(({ moved }) => moved)), earlier);
        await assertComplete('vm-sync', to, source, source.samples);
        return { ...repair, ...bytes };
      },
      async curl(ends) {
        const from = await startSite(ends, 'newest', source.folder);
        const to = await startSite(ends, 'newest', damaged.folder);
        const { output } = await curlCopy('lines', from, to, source);
        await assertComplete('curl', to, source, source.samples);
        const bytes = Number(output);
        const compressed = await compressedExportBytes(from, source);
        return { exported: bytes, imported: bytes, asked: 0, watched: 0, compressed };
      },
    });
    const megabytes = (name: 'vm-sync' | 'curl', of: (moved: Moved) => number) =>
      median(given[name].map((moved) => of(moved) / MB));
    const against = (of: (moved: Moved) => number, by = of) => ({
      workload: 'scattered',
      unit: 'MB' as const,
      ours: megabytes('vm-sync', of),
      yardstick: { name: 'curl JSON lines', value: megabytes('curl', by) },
    });
    const imported = (moved: Moved) => moved.imported;
    const copied = (moved: Moved) => moved.exported + moved.imported;
    const all = (moved: Moved) => copied(moved) + moved.asked + moved.watched;
    return {
      rows: [
        { ...against(copied), measure: 'bytes of exports and imports', target: 0.05 },
        { ...against(imported), measure: 'of that: imports' },
        { ...against(all, copied), measure: 'bytes of everything, finding and proving too' },
      ],
      notes: [
        `${missing.size} of ${shape.series * BUCKETS} pairs missing`,
        'counted by a proxy before each site: bodies of requests and answers as they went over the line, from the wish ' +
          'for a check up to the check that proved the repair; both hops of a copied byte count, for curl too',
        'neither asks for compressed answers; `compressed` in the JSON is an export that does',
        "everything: also counting, reading back, and the servers' /metrics, which are read every 5 s however small the hole",
      ],
      rounds: given,
    };
  },
};

const sumOf = (several: readonly Moved[]): Moved =>
  several.reduce((sum, moved) => combined(sum, moved, (a, b) => a + b));

const lessBy = (moved: Moved, earlier: Moved): Moved => combined(moved, earlier, (a, b) => a - b);

const combined = (one: Moved, other: Moved, by: (a: number, b: number) => number): Moved => ({
  exported: by(one.exported, other.exported),
  imported: by(one.imported, other.imported),
  asked: by(one.asked, other.asked),
  watched: by(one.watched, other.watched),
});

/** The same pairs every time. */
function missingPairs(series: number): ReadonlySet<number> {
  const random = randomOf(42);
  const pairs = Array.from({ length: series * BUCKETS }, (_, pair) => pair);
  return new Set(pairs.filter(() => random() < MISSING_SHARE));
}
