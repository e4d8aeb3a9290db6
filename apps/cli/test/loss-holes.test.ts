import { type GapMaps, missingIn } from '@vm-sync/core';
import { type Stack, startStack } from '@vm-sync/fault-bench';
import { countSamples, filterSamples, noDifference, type Series, until } from '@vm-sync/testkit';
import { expect, test } from 'vitest';
import { hour, lastMinuteMs, minute, someOf, usualSeries, without } from './support/data.ts';

/** A destination that lacks something is repaired to the last sample, and READY is not said before. */
async function isRepaired(stack: Stack, all: readonly Series[], left: Series[]): Promise<void> {
  await stack.fill({ primary: all, dr: left });
  const oracle = stack.watchReady();
  stack.spawn('up');
  const lost = countSamples(all) - countSamples(left);
  const found = await stack.untilState('the gaps', (state) => state.gaps_detected > 0);
  expect(found.failback_ready).toBe(false);
  expect(found.not_ready_because[0]).toContain('dr lacks');
  const state = await stack.untilReady();
  expect(state).toMatchObject({ samples_synced: lost, gaps_detected: 0, not_ready_because: [] });
  expect(state.consecutive_clean).toBeGreaterThanOrEqual(3);
  expect(await stack.compareRaw()).toEqual(noDifference);
  await until('the oracle to have looked', () => oracle.sightings.length > 0);
}

test.concurrent('one hole of five minutes in all series', async () => {
  await using stack = await startStack({ role: 'dr' });
  const nowMs = lastMinuteMs();
  const all = usualSeries(nowMs, 2 * hour);
  await isRepaired(stack, all, without(all, nowMs - 25 * minute, nowMs - 20 * minute));
});

test.concurrent('an outage of half an hour', async () => {
  await using stack = await startStack({ role: 'dr', env: { QUERY_STEP: '300' } });
  const nowMs = lastMinuteMs();
  const all = usualSeries(nowMs, 2 * hour);
  const left = without(all, nowMs - 45 * minute, nowMs - 15 * minute);
  await isRepaired(stack, all, left);
  const json = async (path: string) => (await fetch(`${stack.dashboardUrl}${path}`)).json();
  const { before, now } = (await json('/api/gap-map')) as GapMaps;
  expect(before && missingIn(before)).toBe(countSamples(all) - countSamples(left));
  expect(now).toBeNull();
  const { checks } = (await json('/api/checks')) as { checks: { outcome: string }[] };
  expect(checks.map(({ outcome }) => outcome)).toEqual(expect.arrayContaining(['gaps', 'clean']));
});

test.concurrent('60 % of the samples lost throughout', async () => {
  await using stack = await startStack({ role: 'dr' });
  const all = usualSeries(lastMinuteMs() - 5 * minute, 50 * minute);
  await isRepaired(stack, all, someOf(all, 0.4));
});

test.concurrent('9 of 100 series absent on the destination', async () => {
  await using stack = await startStack({ role: 'dr' });
  const all = usualSeries(lastMinuteMs() - 5 * minute, 50 * minute);
  await isRepaired(stack, all, all.slice(9));
});

test.concurrent('both sides lost different samples of the same buckets: equal counts', async () => {
  await using stack = await startStack({ role: 'dr', env: { QUERY_STEP: '300' } });
  const nowMs = Math.floor(lastMinuteMs() / (5 * minute)) * 5 * minute - 5 * minute;
  const all = usualSeries(nowMs, 45 * minute);
  const lastOf = (at: number) => Math.ceil(at / minute) % 5;
  const [primary, dr] = [1, 3].map((lost) => filterSamples(all, (at) => lastOf(at) !== lost));
  expect(countSamples(primary ?? [])).toBe(countSamples(dr ?? []));
  await stack.fill({ primary: primary ?? [], dr: dr ?? [] });
  stack.watchReady();
  stack.spawn('up');
  const state = await stack.untilReady();
  expect(state.samples_synced).toBe(countSamples(all) - countSamples(dr ?? []));
  // What only the passive side has stays where it is.
  const onlyB = countSamples(all) - countSamples(primary ?? []);
  expect(await stack.compareRaw()).toMatchObject({
    ...noDifference,
    onlyB,
    examples: expect.any(Array),
  });
});

test.concurrent('a gap that is older than QUERY_WINDOW at first sight', async () => {
  await using stack = await startStack({ role: 'dr' });
  const nowMs = lastMinuteMs();
  const all = usualSeries(nowMs, 6 * hour);
  const [fromMs, toMs] = [nowMs - 4 * hour, nowMs - 4 * hour + 7 * minute];
  await stack.fill({ primary: all, dr: without(all, fromMs, toMs) });
  stack.watchReady();
  const { lines } = stack.spawn('up');
  const refused = await stack.untilState('a survey', ({ not_ready_because: [reason] }) =>
    /the sites differ before this vm-sync's first check/.test(reason ?? ''),
  );
  expect(refused).toMatchObject({ failback_ready: false, gaps_detected: 0 });
  expect(await stack.run('ready')).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('NOT READY: the sites differ before'),
  });
  expect((await stack.run('check')).code).toBe(1);
  // However often it is found clean.
  await stack.untilState('five clean checks', (state) => state.consecutive_clean >= 5);
  expect(lines.some(({ msg }) => /READY/.test(msg))).toBe(false);

  const [, from = '', to = ''] =
    /vm-sync backfill --from (\S+) --to (\S+)/.exec(refused.not_ready_because[0] ?? '') ?? [];
  expect([Date.parse(from) <= fromMs, Date.parse(to) >= toMs]).toEqual([true, true]);
  expect(await stack.run('backfill', ['--from', from, '--to', to])).toMatchObject({ code: 0 });
  expect((await stack.untilReady()).samples_synced).toBe(700);
  expect(await stack.compareRaw()).toEqual(noDifference);
  expect(await stack.run('ready')).toMatchObject({ code: 0, stdout: 'FAILBACK READY\n' });
});
