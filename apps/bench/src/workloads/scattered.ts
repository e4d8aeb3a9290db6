import { startCountingProxy } from '../counting-proxy.ts';
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

interface Bytes {
  readonly copied: number;
  readonly all: number;
}

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
    const given = await contest<Bytes, 'vm-sync' | 'curl'>(bench, {
      async 'vm-sync'(ends) {
        const from = await startSite(ends, 'newest', source.folder);
        const to = await startSite(ends, 'newest', damaged.folder);
        const proxies = await Promise.all([from, to].map(({ url }) => startCountingProxy(url)));
        for (const proxy of proxies) ends.use(proxy);
        const [before, behind] = proxies as [(typeof proxies)[number], (typeof proxies)[number]];
        await to.stop();
        const vmSync = ends.use(
          await startVmSync({
            source: before.url,
            destination: behind.url,
            queryWindowMs: windowBackTo(shape.fromMs),
          }),
        );
        await vmSync.untilChecked();
        await to.start();
        const total = (of: keyof Bytes) => before.moved[of] + behind.moved[of];
        const earlier = { copied: total('copied'), all: total('all') };
        const repair = await vmSync.repair();
        const bytes = { copied: total('copied') - earlier.copied, all: total('all') - earlier.all };
        await assertComplete('vm-sync', to, source, source.samples);
        return { ...repair, ...bytes };
      },
      async curl(ends) {
        const from = await startSite(ends, 'newest', source.folder);
        const to = await startSite(ends, 'newest', damaged.folder);
        const { output } = await curlCopy('lines', from, to, source);
        await assertComplete('curl', to, source, source.samples);
        // Exported, and the same bytes imported.
        const bytes = 2 * Number(output);
        const compressed = 2 * (await compressedExportBytes(from, source));
        return { copied: bytes, all: bytes, compressed };
      },
    });
    const megabytes = (name: 'vm-sync' | 'curl', of: keyof Bytes) =>
      median(given[name].map((bytes) => bytes[of] / MB));
    const yardstick = { name: 'curl JSON lines', value: megabytes('curl', 'copied') };
    return {
      rows: [
        {
          workload: 'scattered',
          measure: 'bytes of exports and imports',
          unit: 'MB',
          ours: megabytes('vm-sync', 'copied'),
          yardstick,
          target: 0.05,
        },
        {
          workload: 'scattered',
          measure: 'bytes of everything, finding and proving too',
          unit: 'MB',
          ours: megabytes('vm-sync', 'all'),
          yardstick,
        },
      ],
      notes: [
        `${missing.size} of ${shape.series * BUCKETS} pairs missing`,
        'counted by a proxy before each site: bodies of requests and answers as they went over the line, from the wish ' +
          'for a check up to the check that proved the repair; both hops of a copied byte count, for curl too',
        'vm-sync asks for gzip, the yardstick does not; `compressed` in the JSON is the yardstick with gzip',
      ],
      rounds: given,
    };
  },
};

/** The same pairs every time. */
function missingPairs(series: number): ReadonlySet<number> {
  const random = randomOf(42);
  const pairs = Array.from({ length: series * BUCKETS }, (_, pair) => pair);
  return new Set(pairs.filter(() => random() < MISSING_SHARE));
}
