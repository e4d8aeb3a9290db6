import { startStack } from '@vm-sync/fault-bench';
import { filterSamples, noDifference } from '@vm-sync/testkit';
import { expect, test } from 'vitest';
import { hour, lastMinuteMs, minute, usualSeries, without } from './support/data.ts';

const bucket = 5 * minute;

test('the direction turns before a gap is repaired in which both sides wrote: each way is proven by itself', async () => {
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
  expect(state.samples_synced).toBe(300);
  // Primary has all; its own five are what only it has.
  expect({ ...(await stack.compareRaw()), examples: [] }).toEqual({ ...noDifference, onlyA: 500 });
});
