import { assertComplete, type Range, startSite } from '../data.ts';
import { median } from '../results.ts';
import { type Source, windowBackTo } from '../sources.ts';
import { type Repair, startVmSync } from '../vm-sync.ts';
import { type Bench, contest, type Workload } from '../workload.ts';
import { curlCopy, type Timed, vmctlCopy, vmctlPath } from '../yardsticks.ts';

const MIB = 2 ** 20;

/** 48 hours into an empty destination, native format shared. */
export const fullCopy: Workload = {
  name: 'full-copy',
  about: '10,000 series × 48 h at 15 s into an empty destination (1.145 → 1.145)',
  async run(bench: Bench) {
    const source = await bench.sources.twoDays('newest');
    const tenthFromMs = source.toMs - (source.toMs - source.fromMs) / 10;
    const given = await contest<Timed | Copied, string>(bench, {
      'vm-sync': (ends) => copyByVmSync(source, source, ends),
      curl: (ends) => copyBy('curl', source, ends),
      vmctl: (ends) => copyBy('vmctl', source, ends),
      'curl and bare counts': (ends) => copyCounted(source, ends),
      'vm-sync, a tenth': (ends) => copyByVmSync(source, { ...source, fromMs: tenthFromMs }, ends),
    });
    const took = (name: string) => median((given[name] ?? []).map(({ tookMs }) => tookMs / 1000));
    const peak = (name: string) =>
      median((given[name] as Copied[]).map(({ workerMiB }) => workerMiB));
    const time = {
      workload: 'full-copy',
      measure: 'time',
      unit: 's',
      ours: took('vm-sync'),
    } as const;
    return {
      rows: [
        { ...time, yardstick: { name: 'curl native', value: took('curl') }, target: 1.1 },
        { ...time, yardstick: { name: 'vmctl', value: took('vmctl') }, target: 1 },
        {
          ...time,
          yardstick: { name: 'curl native and bare counts', value: took('curl and bare counts') },
        },
        {
          workload: 'full-copy',
          measure: 'peak memory of the worker',
          unit: 'MiB',
          ours: peak('vm-sync'),
          target: 200,
        },
        {
          workload: 'full-copy',
          measure: 'the same, against a tenth of the samples',
          unit: 'MiB',
          ours: peak('vm-sync'),
          yardstick: { name: 'a tenth', value: peak('vm-sync, a tenth') },
          target: SAME,
        },
      ],
      notes: [
        `${source.samples} samples of ${source.series} series; ${TIMED}`,
        `vmctl is ${vmctlPath()}, with its defaults; curl and vmctl compare and verify nothing`,
        'curl and bare counts: the source is counted once, and the destination is made visible and counted once: the least that finding and verifying cost',
        `peak memory is VmHWM of the only worker (2 chunks at a time); “the same” is read as within ${SAME} ×`,
      ],
      rounds: given,
    };
  },
};

/** Two peaks of the same program are never quite equal; this is what is called the same. */
const SAME = 1.2;

export const TIMED =
  'vm-sync is timed from the wish for a check (job added) until its last run was seen settled, every chunk read back; ' +
  'a later check, which is not timed, found nothing missing, and a bare count of the destination is complete';

export type Copied = Repair & { readonly workerMiB: number; readonly schedulerMiB: number };

/** A copy by vm-sync into a destination that was down, and comes up with what `folder` holds, or empty. */
export async function copyByVmSync(
  source: Source,
  range: Range,
  ends: AsyncDisposableStack,
  folder?: string,
): Promise<Copied> {
  const from = await startSite(ends, source.version, source.folder);
  const to = await startSite(ends, 'newest', folder);
  await to.stop();
  const vmSync = ends.use(
    await startVmSync({
      source: from.url,
      destination: to.url,
      queryWindowMs: windowBackTo(range.fromMs),
    }),
  );
  await vmSync.untilChecked();
  await to.start();
  const repair = await vmSync.repair();
  const wanted = (source.samples * (range.toMs - range.fromMs)) / (source.toMs - source.fromMs);
  await assertComplete('vm-sync', to, range, wanted);
  return {
    ...repair,
    workerMiB: vmSync.peakBytes('worker') / MIB,
    schedulerMiB: vmSync.peakBytes('scheduler') / MIB,
  };
}

/** What curl takes, and one bare count of either side: nobody who compares and verifies can do with less. */
async function copyCounted(source: Source, ends: AsyncDisposableStack): Promise<Timed> {
  const from = await startSite(ends, source.version, source.folder);
  const to = await startSite(ends, 'newest');
  const startedMs = performance.now();
  await assertComplete('the source', from, source, source.samples);
  const { output } = await curlCopy('native', from, to, source);
  await assertComplete('curl', to, source, source.samples);
  return { tookMs: performance.now() - startedMs, output };
}

/** The same copy by a yardstick. */
export async function copyBy(
  tool: 'curl' | 'curl, JSON lines' | 'vmctl',
  source: Source,
  ends: AsyncDisposableStack,
  folder?: string,
): Promise<Timed> {
  const from = await startSite(ends, source.version, source.folder);
  const to = await startSite(ends, 'newest', folder);
  const timed =
    tool === 'vmctl'
      ? await vmctlCopy(from, to, source)
      : await curlCopy(tool === 'curl' ? 'native' : 'lines', from, to, source);
  await assertComplete(tool, to, source, source.samples);
  return timed;
}
