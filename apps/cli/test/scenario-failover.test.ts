import { isDeepStrictEqual } from 'node:util';
import { type Stack, startStack } from '@vm-sync/fault-bench';
import { countSamples, noDifference, startWriter, until, type Writer } from '@vm-sync/testkit';
import { expect, test } from 'vitest';
import { lastMinuteMs, minute, second, usualSeries } from './support/data.ts';

/** Samples every second, judged 45 s later (the youngest age for buckets below a minute), and exactly. */
const env = {
  QUERY_STEP: '10',
  SETTLE_SECONDS: '45',
  QUERY_WINDOW: '300',
  GAP_THRESHOLD: '1',
};

const collector = (targets: readonly string[]): Writer =>
  startWriter({ targets, seriesCount: 20, names: ['up', 'load'], intervalMs: second });

const urls = ({ primary, dr }: Stack) => [primary.vm.url, dr.vm.url];

/** Waits until everything up to an instant is proven, and READY. */
const untilReadyThrough = (stack: Stack, throughMs: number) =>
  stack.untilState(
    `READY through ${new Date(throughMs).toISOString()}`,
    ({ failback_ready: ready, active_site: active, detail }) => {
      if (!ready || active === 'unknown') return false;
      const mark = detail.marks[active === 'primary' ? 'primary-to-dr' : 'dr-to-primary'];
      return mark !== null && mark.unproven.length === 0 && mark.throughMs >= throughMs;
    },
    { deadlineMs: 150_000 },
  );

const history = () => {
  const nowMs = lastMinuteMs() - minute;
  return usualSeries(nowMs, 10 * minute);
};

test.concurrent('the other collector takes over with both databases up: clean, READY for the new direction', async () => {
  await using stack = await startStack({ dns: true, env });
  await stack.fill({ primary: history(), dr: history() });
  const oracle = stack.watchReady();
  const ours = collector(urls(stack));
  const { lines } = stack.spawn('up');
  await stack.untilReady();
  await ours.stop();
  const theirs = collector(urls(stack));
  await stack.activate('dr');
  const turnedMs = Date.now();
  await stack.untilState('the new direction', ({ active_site: active }) => active === 'dr');
  const state = await untilReadyThrough(stack, turnedMs + 5 * second);
  await theirs.stop();
  expect(state).toMatchObject({ active_site: 'dr', gaps_detected: 0, samples_synced: 0 });
  expect(await stack.chunks()).toEqual([]);
  const said = lines.map(({ msg }) => msg);
  expect(said.filter((line) => /gaps/.test(line))).toEqual([]);
  // READY was taken back with the turn, and said again for the new direction.
  expect(said.filter((line) => /FAILBACK READY \(/.test(line)).at(-1)).toContain(
    'primary holds everything that dr has',
  );
  await until('the oracle to have looked', () => oracle.sightings.length > 0);
  // A write of the last seconds that one database did not take is repaired when it has settled.
  await until(
    'both databases to be equal',
    async () => isDeepStrictEqual(await stack.compareRaw(), noDifference),
    { deadlineMs: 120_000, everyMs: 1_000 },
  );
});

test.concurrent('the primary site down and back: dr → primary, READY after three clean checks', async () => {
  await using stack = await startStack({ dns: true, role: 'dr', env });
  await stack.fill({ primary: history(), dr: history() });
  await stack.primary.vm.restart();
  let back = true;
  stack.watchReady(() => !back && 'the primary site is down');
  const writer = collector(urls(stack));
  const { lines } = stack.spawn('up');
  await stack.untilReady();
  await stack.primary.vm.kill();
  await stack.activate('dr');
  // A check that was under way when the site died says first that it broke off.
  await stack.untilState('unknown', ({ last_error: error }) =>
    /^Remote VM unhealthy: .*refuses connections/.test(error ?? ''),
  );
  back = false;
  await stack.untilState('a while without it', ({ active_site: active }) => active === 'dr');
  await new Promise((resolve) => setTimeout(resolve, 12 * second));
  await stack.primary.vm.start();
  back = true;
  const backMs = Date.now();
  const begun = lines.length;
  await stack.untilState('the gap', ({ gaps_detected: gaps }) => gaps > 0);
  const state = await untilReadyThrough(stack, backMs + 5 * second);
  await writer.stop();
  expect(state.samples_synced).toBeGreaterThanOrEqual(20 * 10);
  const said = lines.slice(begun).map(({ msg }) => msg);
  const readyAt = said.findLastIndex((line) =>
    /FAILBACK READY \(3 clean checks in a row, primary holds/.test(line),
  );
  // The third check's own line follows its event.
  const before = said.slice(0, readyAt).filter((line) => line.startsWith('check ('));
  expect(before.slice(-2)).toEqual([
    expect.stringContaining('clean (1 in a row)'),
    expect.stringContaining('clean (2 in a row)'),
  ]);
  const chunks = await stack.chunks();
  expect(new Set(chunks.map(({ order }) => order.direction.source))).toEqual(new Set(['dr']));
  const toMs = state.detail.marks['dr-to-primary']?.throughMs ?? 0;
  expect(await stack.compareRaw({ toMs })).toEqual(noDifference);
});

test.concurrent('a partition in which both collectors wrote: the passive site gets all, and keeps its own', async () => {
  await using stack = await startStack({ dr: { proxy: true }, env });
  await stack.fill({ primary: history(), dr: history() });
  stack.watchReady();
  const ours = collector(urls(stack));
  stack.spawn('up');
  await stack.untilReady();
  // Between the sites nothing passes; each has a collector that writes to its own side.
  ours.cut(1);
  stack.dr.proxy.setFault({ kind: 'answer', status: 502 });
  const theirs = collector([stack.dr.vm.url]);
  await stack.untilState('unknown', ({ last_error: error }) => error !== null);
  await new Promise((resolve) => setTimeout(resolve, 10 * second));
  await theirs.stop();
  ours.mend(1);
  stack.dr.proxy.setFault(null);
  const mendedMs = Date.now();
  const state = await untilReadyThrough(stack, mendedMs + 5 * second);
  await ours.stop();
  const toMs = state.detail.marks['primary-to-dr']?.throughMs ?? 0;
  const written = theirs.delivered(0);
  expect(countSamples(written)).toBeGreaterThan(100);
  // The same series at the same millisecond is one sample for both.
  const ownTimes = new Set(ours.delivered(0)[0]?.timestamps);
  const onlyTheirs = written[0]?.timestamps.filter((at) => !ownTimes.has(at)) ?? [];
  const difference = await stack.compareRaw({ toMs });
  expect({ ...difference, examples: [] }).toEqual({
    ...noDifference,
    onlyB: onlyTheirs.length * 20,
  });
});
