import { filterSamples, noDifference } from '@vm-sync/testkit';
import { expect, test } from 'vitest';
import { hour, lastMinuteMs, minute, usualSeries, without } from './support/data.ts';
import { startStack } from './support/stack.ts';

const bucket = 5 * minute;

test.concurrent('the direction turns before a gap is repaired in which both sides wrote: each way is proven by itself', async () => {
  await using stack = await startStack({ env: { QUERY_STEP: '300' } });
  const nowMs = lastMinuteMs();
  const all = usualSeries(nowMs, 2 * hour);
  const toMs = (Math.floor(nowMs / bucket) - 5) * bucket;
  const ours = filterSamples(all, (at) => at > toMs - bucket && at <= toMs);
  // During a partition primary's collector wrote five samples, the other one's three of its own.
  const theirs = ours.map((series) => ({
    ...series,
    timestamps: series.timestamps.slice(0, 3).map((at) => at + 20_000),
    values: series.values.slice(0, 3),
  }));
  const shared = without(all, toMs - bucket, toMs);
  await stack.fill({ primary: all, dr: shared });
  await stack.fill({ dr: theirs });
  // Nobody repairs it: there is no worker.
  const scheduler = stack.spawn('scheduler');
  await stack.untilState('the gap', ({ gaps_detected: gaps }) => gaps > 0);
  await scheduler.stop();
  // Later the other site becomes active, when the partition is older than what every check looks at.
  stack.watchReady();
  stack.spawn('up', { ACTIVE_SITE: 'dr', QUERY_WINDOW: '300' });
  const state = await stack.untilReady();
  expect(state.active_site).toBe('dr');
  const { onlyB } = await stack.compareRaw();
  expect(onlyB).toBe(0);
});

test.concurrent('XX late data older than QUERY_WINDOW arrives at the source only', async () => {
  await using stack = await startStack({ env: { QUERY_WINDOW: '900' } });
  const nowMs = lastMinuteMs();
  const all = usualSeries(nowMs, 2 * hour);
  await stack.fill({ primary: all, dr: all });
  stack.spawn('up');
  await stack.untilReady();
  await stack.fill({
    primary: all.slice(0, 10).map((s) => ({ ...s, labels: { ...s.labels, late: 'y' }, timestamps: s.timestamps.slice(0, 60), values: s.values.slice(0, 60) })),
  });
  await new Promise((r) => setTimeout(r, 10_000));
  const s = await stack.state();
  console.log('LATE', s?.failback_ready, s?.last_check, await stack.compareRaw());
});
