import { startStack } from '@vm-sync/fault-bench';
import {
  countSamples,
  filterSamples,
  makeSeries,
  noDifference,
  type VmVersion,
} from '@vm-sync/testkit';
import { expect, test } from 'vitest';
import { hour, lastMinuteMs, minute, usualSeries, without } from './support/data.ts';
import { full } from './support/full.ts';
import { oddSeries } from './support/odd-series.ts';

const bucket = 5 * minute;
type Dedup = 'off' | '1ms' | '60s';

const site = (version: VmVersion, dedup: Dedup) => ({ version, ...(dedup !== 'off' && { dedup }) });

/** Every way of deduplicating, between versions; within one version only with MATRIX=full. */
const pairs: [VmVersion, VmVersion, Dedup][] = [
  ['oldest', 'newest', 'off'],
  ['newest', 'oldest', 'off'],
  ['oldest', 'newest', '60s'],
  ['newest', 'oldest', '1ms'],
];
if (full) {
  pairs.push(['oldest', 'oldest', '1ms'], ['newest', 'newest', '60s'], ['newest', 'newest', 'off']);
}

test.concurrent.each(pairs)(
  'odd names, labels and values, %s → %s, deduplication %s',
  async (source, destination, dedup) => {
    await using stack = await startStack({
      role: 'dr',
      primary: site(source, dedup),
      dr: site(destination, dedup),
      env: { QUERY_STEP: '300', GAP_THRESHOLD: '1', FAILBACK_CLEAN_CHECKS: '1' },
    });
    const nowMs = lastMinuteMs();
    const all = oddSeries(nowMs - 55 * minute, nowMs);
    const age = (at: number) => Math.floor(nowMs / bucket) - Math.ceil(at / bucket);
    // A hole in all series, buckets of which some is there, and series that are not there for a while.
    const left = filterSamples(all, (at, labels, index) => {
      if (age(at) === 3) return false;
      if (age(at) === 5 || age(at) === 6) return index % 3 !== 0;
      const absent = (Object.values(labels).join('').length + Object.keys(labels).length) % 2 === 0;
      return age(at) !== 8 || !absent;
    });
    await stack.fill({ primary: all, dr: left });
    stack.watchReady();
    stack.spawn('up');
    const state = await stack.untilReady();
    expect(await stack.compareRaw()).toEqual(noDifference);
    expect((await stack.primary.vm.export()).size).toBe(all.length);
    expect(state.samples_synced).toBe(countSamples(all) - countSamples(left));
    const modes = new Set((await stack.chunks()).map(({ result }) => result?.mode));
    expect([...modes].sort()).toEqual(['difference', 'lines']);
  },
);

/** Eight hours in the middle of twelve: wider than one slice of a comparison. */
async function wideGap(primary: ReturnType<typeof site>, dr: ReturnType<typeof site>, hours = 8) {
  const queryWindow = `${hours + 4}h`;
  const env = { QUERY_STEP: '300', QUERY_WINDOW: queryWindow, FAILBACK_CLEAN_CHECKS: '1' };
  const stack = await startStack({ role: 'dr', primary, dr, env });
  const nowMs = lastMinuteMs();
  // Three samples in each deduplication interval, of which one counts.
  const shape = { count: 20, names: ['one', 'two'], stepMs: 20_000, jitterMs: 900 };
  const all = [
    ...makeSeries({ ...shape, fromMs: nowMs - (hours + 3) * hour, toMs: nowMs }),
    ...oddSeries(nowMs - 11 * hour, nowMs),
  ];
  await stack.fill({
    primary: all,
    dr: without(all, nowMs - (hours + 2) * hour, nowMs - 2 * hour),
  });
  stack.watchReady();
  stack.spawn('up');
  return stack;
}

test.concurrent.each([
  ['newest', '1ms', 10],
  ['oldest', '60s', 27],
] as const)(
  'a gap of many samples a series between equals (%s, deduplication %s) goes as native blocks',
  async (version, dedup, hours) => {
    await using stack = await wideGap(site(version, dedup), site(version, dedup), hours);
    await stack.untilReady();
    expect(await stack.compareRaw()).toEqual(noDifference);
    const chunks = await stack.chunks();
    const whole = chunks.filter(({ order: { chunk } }) => chunk.samples >= 600 * chunk.series);
    expect(whole.length).toBeGreaterThanOrEqual(1);
    for (const { result, log } of whole) {
      expect(result).toMatchObject({ mode: 'native', outcome: 'repaired' });
      expect(log.join('\n')).toMatch(/copied native blocks, \d+ bytes/);
    }
    expect((await stack.state())?.samples_synced).toBeGreaterThan(0);
  },
);

test.concurrent.each([
  ['newest', 'oldest', '1ms', '1ms'],
  ['oldest', 'newest', '60s', '60s'],
  ['newest', 'newest', 'off', 'off'],
  ['newest', 'newest', '1ms', 'off'],
] as const)(
  'a wide gap, %s → %s, deduplication %s and %s: JSON lines',
  async (from, to, there, here) => {
    await using stack = await wideGap(site(from, there), site(to, here));
    await stack.untilReady();
    expect(await stack.compareRaw()).toEqual(noDifference);
    const modes = (await stack.chunks()).map(({ result }) => result?.mode);
    expect(modes).toContain('lines');
    expect(modes).not.toContain('native');
  },
);

test.concurrent('range queries that were cached during the outage show the repaired samples', async () => {
  // The server does not clear its cache by itself: only what vm-sync does counts.
  const flags = ['-search.disableAutoCacheReset'];
  await using stack = await startStack({ role: 'dr', dr: { version: 'newest', flags } });
  const nowMs = lastMinuteMs();
  const all = usualSeries(nowMs, 55 * minute);
  const gap = { fromMs: nowMs - 40 * minute, toMs: nowMs - 30 * minute };
  await stack.fill({ primary: all, dr: without(all, gap.fromMs, gap.toMs) });
  const graph = async (url: string, more: Record<string, string> = {}) => {
    const range = {
      start: `${(nowMs - 50 * minute) / 1000}`,
      end: `${(nowMs - 10 * minute) / 1000}`,
    };
    const body = new URLSearchParams({
      query: 'sum(count_over_time(up[1m]))',
      step: '60',
      ...range,
      ...more,
    });
    const answer = await fetch(`${url}/api/v1/query_range`, { method: 'POST', body });
    const { data } = (await answer.json()) as {
      data: { result: { values: [number, string][] }[] };
    };
    return data.result[0]?.values.map(([at]) => at) ?? [];
  };
  const { url } = stack.dr.vm;
  expect(await graph(url)).toHaveLength(31);
  stack.watchReady();
  stack.spawn('up');
  // A dashboard that refreshes all the while.
  let open = true;
  const dashboard = (async () => {
    while (open) {
      await graph(url);
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  })();
  await stack.untilReady();
  open = false;
  await dashboard;
  expect(await graph(url)).toEqual(await graph(url, { nocache: '1' }));
  expect(await graph(url)).toHaveLength(41);
  expect(await stack.compareRaw()).toEqual(noDifference);
});
