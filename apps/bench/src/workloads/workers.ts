import { startFaultProxy } from '@vm-sync/testkit';
import { assertComplete, startSite } from '../data.ts';
import { median } from '../results.ts';
import { settledRange, windowBackTo } from '../sources.ts';
import { type Repair, startVmSync } from '../vm-sync.ts';
import { type Bench, type Contender, contest, type Workload } from '../workload.ts';

const HOUR_MS = 3_600_000;
const BUCKET_MS = 300_000;
const SLOW_MS = 50;

/** A far destination: what one worker waits for, four wait for together. */
export const workers: Workload = {
  name: 'workers',
  about: `every second 5-minute bucket of 1,000 series × 48 h at 60 s missing, destination slowed to ${SLOW_MS} ms a request`,
  async run(bench: Bench) {
    const shape = {
      ...settledRange(48 * HOUR_MS),
      series: bench.sources.series(1_000),
      stepMs: 60_000,
    };
    const source = await bench.sources.make('newest', shape);
    const damaged = await bench.sources.make(
      'newest',
      shape,
      (_, atMs) => Math.ceil((atMs - shape.fromMs) / BUCKET_MS) % 2 === 0,
    );
    const withWorkers =
      (count: number): Contender<Repair> =>
      async (ends) => {
        const from = await startSite(ends, 'newest', source.folder);
        const to = await startSite(ends, 'newest', damaged.folder);
        const proxy = await startFaultProxy({ target: to.url });
        ends.defer(() => proxy.stop());
        proxy.setFault({ kind: 'delay', ms: SLOW_MS });
        await to.stop();
        const vmSync = ends.use(
          await startVmSync({
            source: from.url,
            destination: proxy.url,
            queryWindowMs: windowBackTo(shape.fromMs),
            workers: count,
            env: { WORKER_CONCURRENCY: '1' },
          }),
        );
        await vmSync.untilChecked();
        await to.start();
        const repair = await vmSync.repair();
        await assertComplete(`vm-sync with ${count} workers`, to, source, source.samples);
        return repair;
      };
    const given = await contest(bench, { four: withWorkers(4), one: withWorkers(1) });
    const seconds = (name: 'four' | 'one', of: (repair: Repair) => number) =>
      median(given[name].map((repair) => of(repair) / 1000));
    const copying = ({ tookMs, detectedMs }: Repair) => tookMs - detectedMs;
    const all = ({ tookMs }: Repair) => tookMs;
    return {
      rows: [
        {
          workload: 'workers',
          measure: 'time of 4 workers, from plan to settled',
          unit: 's',
          ours: seconds('four', copying),
          yardstick: { name: '1 worker', value: seconds('one', copying) },
          target: 0.35,
        },
        {
          workload: 'workers',
          measure: 'the same with the finding, which no worker does',
          unit: 's',
          ours: seconds('four', all),
          yardstick: { name: '1 worker', value: seconds('one', all) },
        },
      ],
      notes: [
        `${given.four.at(-1)?.chunks} chunks, WORKER_CONCURRENCY=1; plan to settled: from the run's beginning until it was seen settled; ` +
          'a destination that was away is trusted again by one copy more every 5 s, which is part of the time',
      ],
      rounds: given,
    };
  },
};
