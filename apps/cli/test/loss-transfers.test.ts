import { type Stack, startStack, type VmSyncProcess } from '@vm-sync/fault-bench';
import { type Fault, type FaultProxy, filterSamples, noDifference, until } from '@vm-sync/testkit';
import { expect, test } from 'vitest';
import { hour, lastMinuteMs, minute, usualSeries, without } from './support/data.ts';

const bucket = 5 * minute;
/** The end of each hole, in buckets before now: each is repaired by a chunk of its own. */
const holes = [4, 6, 8, 10];
const env = { QUERY_STEP: '300', WORKER_CONCURRENCY: '1' };

/** Some buckets that the destination lacks as a whole, or in part: the last sample of five of every series. */
async function lose(stack: Stack, what: 'all' | 'last', where = holes): Promise<void> {
  const nowMs = lastMinuteMs();
  const all = usualSeries(nowMs, 2 * hour);
  const nowBucket = Math.floor(nowMs / bucket);
  const isLost = (at: number) =>
    where.includes(nowBucket - Math.ceil(at / bucket)) &&
    (what === 'all' || Math.ceil(at / minute) % 5 === 0);
  await stack.fill({ primary: all, dr: filterSamples(all, (at) => !isLost(at)) });
}

test.concurrent('an import that answers 204 and drops rows: tried again until they are there', async () => {
  await using stack = await startStack({ role: 'dr', dr: { proxy: true }, env });
  await lose(stack, 'all', [4]);
  let mended = false;
  stack.watchReady(() => !mended && 'the import drops rows');
  stack.dr.proxy.setFault({ kind: 'drop-rows', keepShare: 0.6, path: '/api/v1/import' });
  const up = stack.spawn('up');
  const line = await up.untilLog(/^failed: .*accepted the import, but 200 samples are not there/);
  expect(line.msg).toMatch(/dr \(http:.*retry this job when that is mended/);
  expect((await stack.state())?.failback_ready).toBe(false);
  mended = true;
  stack.dr.proxy.setFault(null);
  await stack.untilReady();
  expect(await stack.compareRaw()).toEqual(noDifference);
  const [chunk] = await stack.chunks();
  expect(chunk).toMatchObject({ state: 'completed', result: { mode: 'difference', samples: 200 } });
  expect(chunk?.attempts).toBe(2);
});

const path = '/api/v1/export';
/** Torn off; ended as if complete: in mid-line, at a line's end, before the first byte. */
const cuts: Fault[] = [
  { kind: 'cut', afterBytes: 5_000, end: 'reset', path },
  { kind: 'cut', afterBytes: 5_000, end: 'clean', path },
  { kind: 'cut', afterBytes: 5_000, end: 'clean', wholeLines: true, path },
  { kind: 'cut', afterBytes: 0, end: 'clean', path },
];

/** Lets every kind of cut end at least one try, before exports come whole. */
async function cutAll(
  proxy: FaultProxy,
  { lines }: VmSyncProcess,
  faults: readonly Fault[] = cuts,
): Promise<string[]> {
  const failures = () => lines.filter(({ msg }) => msg.startsWith('failed: '));
  for (const fault of faults) {
    const seen = failures().length;
    proxy.setFault(fault);
    await until(`a failure by ${JSON.stringify(fault)}`, () => failures().length > seen, {
      deadlineMs: 60_000,
    });
  }
  proxy.setFault(null);
  for (const line of failures()) {
    const ids = { runId: expect.any(String), jobId: expect.any(String) };
    expect(line).toMatchObject({ level: 'warn', ...ids });
  }
  return failures().map(({ msg }) => msg);
}

test.concurrent.each([
  ['empty buckets', 'all'],
  ['buckets that are partly there', 'last'],
] as const)('exports cut in the middle, %s: tried again, nothing doubled', async (_, what) => {
  await using stack = await startStack({ role: 'dr', primary: { proxy: true }, env });
  await lose(stack, what);
  let mended = false;
  stack.watchReady(() => !mended && 'exports are cut');
  stack.primary.proxy.setFault(cuts[0] ?? null);
  const failures = await cutAll(stack.primary.proxy, stack.spawn('up'));
  for (const line of failures) expect(line).toContain(': VM export error: primary (http');
  mended = true;
  await stack.untilReady();
  expect(await stack.compareRaw()).toEqual(noDifference);
  const chunks = await stack.chunks();
  expect(chunks.map(({ state }) => state)).toEqual(holes.map(() => 'completed'));
});

test.concurrent('lists of what the destination has, cut as if complete: nothing is sent twice', async () => {
  await using stack = await startStack({ role: 'dr', dr: { proxy: true }, env });
  await lose(stack, 'last');
  stack.watchReady();
  stack.dr.proxy.setFault(cuts[0] ?? null);
  const failures = await cutAll(stack.dr.proxy, stack.spawn('up'));
  for (const line of failures) expect(line).toContain(': VM export error: dr (http');
  await stack.untilReady();
  expect(await stack.compareRaw()).toEqual(noDifference);
});

test.concurrent('native exports cut in the middle: tried again, nothing doubled', async () => {
  const site = { version: 'newest', dedup: '1ms' } as const;
  await using stack = await startStack({
    role: 'dr',
    primary: { ...site, proxy: true },
    dr: site,
    env: { ...env, QUERY_WINDOW: '30h' },
  });
  const nowMs = lastMinuteMs();
  const all = usualSeries(nowMs, 29 * hour);
  await stack.fill({ primary: all, dr: without(all, nowMs - 28 * hour, nowMs - hour) });
  let mended = false;
  stack.watchReady(() => !mended && 'exports are cut');
  // Far enough for the probe, which reads one block. The second try goes by JSON lines, which nothing cuts.
  const native = cuts.map((cut) => ({ ...cut, path: `${path}/native`, afterBytes: 20_000 }));
  stack.primary.proxy.setFault(native[0] ?? null);
  const failures = await cutAll(stack.primary.proxy, stack.spawn('up'), native.slice(0, 1));
  for (const line of failures) expect(line).toContain(': VM export error: primary (http');
  mended = true;
  await stack.untilReady();
  expect(await stack.compareRaw()).toEqual(noDifference);
});
