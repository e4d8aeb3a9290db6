import { type Stack, startStack } from '@vm-sync/fault-bench';
import { exportRaw, noDifference, type Series } from '@vm-sync/testkit';
import { expect, test } from 'vitest';
import { hour, lastMinuteMs, minute, usualSeries, without } from './support/data.ts';
import { recentLoss } from './support/recent.ts';

const own = ['{__name__=~"vmsync_.+"}'];

/** vm-sync's own samples on a site: anything written shows here. */
const ownSamples = async (site: Stack['dr']) =>
  [...(await exportRaw(site.vm.url, { match: own })).values()]
    .map(({ labels, timestamps }) => JSON.stringify([labels, timestamps]))
    .sort();

const refused =
  (words: RegExp) => (state: { not_ready_because: string[]; failback_ready: boolean }) =>
    !state.failback_ready && state.not_ready_because.some((reason) => words.test(reason));

/** A marker as some vm-sync writes it. */
const marker = (site: string, pair: string, atMs: number): Series => ({
  labels: { __name__: 'vmsync_identity', site, pair },
  timestamps: [atMs],
  values: [1],
});

test.concurrent('swapped URLs are refused before anything is written', async () => {
  const { all, left } = recentLoss();
  await using stack = await startStack();
  await stack.fill({ primary: all, dr: left });
  stack.watchReady();
  const scheduler = stack.spawn('up');
  await stack.untilReady();
  const marked = await stack.untilState('the markers', ({ detail }) => {
    const { primary, dr } = detail.identity.seen;
    return primary !== null && dr !== null;
  });
  await scheduler.stop();
  await stack.fill({ primary: without(usualSeries(lastMinuteMs(), hour), 0, 1) });
  const before = [await ownSamples(stack.primary), await ownSamples(stack.dr)];

  const swapped = { LOCAL_VM_URL: stack.dr.url, REMOTE_VM_URL: stack.primary.url };
  stack.spawn('up', swapped);
  const state = await stack.untilState('the refusal', refused(/^the URLs are swapped/));
  expect(state.consecutive_clean).toBe(0);
  await stack.untilState(
    'another check',
    ({ last_check: at }) => (at ?? '') > (state.last_check ?? ''),
  );
  expect([await ownSamples(stack.primary), await ownSamples(stack.dr)]).toEqual(before);
  expect((await stack.compareRaw()).onlyA).toBeGreaterThan(0);
  expect((await stack.run('check', [], swapped)).stdout).toMatch(/^unknown: the URLs are swapped/);
  expect((await stack.run('doctor', [], swapped)).stdout).toMatch(
    /^FAULT {2}identity: the URLs are swapped/m,
  );
  expect(marked.detail.identity.pair).not.toBeNull();
});

test.concurrent('two names of one server are refused at the very first start', async () => {
  const { all } = recentLoss();
  await using stack = await startStack();
  await stack.fill({ primary: all });
  stack.watchReady(() => 'there is only one server');
  const { port } = stack.primary.vm;
  stack.spawn('up', { REMOTE_VM_URL: `http://localhost:${port}` });
  const same = /^both URLs lead to the same VictoriaMetrics/;
  const state = await stack.untilState('the refusal', refused(same));
  await stack.untilState(
    'another check',
    (seen) => (seen.last_check ?? '') > (state.last_check ?? '') && refused(same)(seen),
  );
  const names = (await ownSamples(stack.primary)).map((text) => JSON.parse(text)[0].__name__);
  expect(names).toEqual(['vmsync_identity']);
});

test.concurrent("a stranger's VM is refused until a person accepts it", async () => {
  const nowMs = lastMinuteMs();
  const { all, left } = recentLoss();
  await using stack = await startStack({ webhook: true });
  const ours = marker('primary', 'ours', nowMs);
  // As a VM of another pair, whose clock is ahead.
  const theirs = marker('dr', 'theirs', nowMs + 10 * minute);
  await stack.fill({ primary: [...all, ours], dr: [...left, theirs] });
  stack.watchReady();
  stack.spawn('up');
  await stack.untilState('the refusal', refused(/marker of another pair/));
  expect(await ownSamples(stack.dr)).toHaveLength(1);
  expect((await stack.compareRaw()).onlyA).toBe(2_000);
  const accepted = await stack.run('accept', ['--site', 'dr']);
  expect([accepted.code, accepted.stderr]).toEqual([0, '']);
  // Which of the two is the pair's name nobody could know: both may have to be accepted.
  await stack.run('accept', ['--site', 'primary']);
  await stack.untilReady();
  expect(await stack.compareRaw()).toEqual(noDifference);
  expect((await stack.run('accept', ['--site', 'here'])).code).toBe(2);
  const told = stack.webhook.messages.map(({ body }) => body).join('\n');
  expect(told).toMatch(/Nothing is written: the VM at/);
});

test.concurrent('an emptied destination is filled again, an emptied source stops repairs', async () => {
  const { all } = recentLoss();
  await using stack = await startStack();
  await using empty = await startStack();
  await stack.fill({ primary: all, dr: all });
  const up = stack.spawn('up');
  await stack.untilReady();
  await up.stop();
  await stack.rewriteState(keptForLong);
  // New disks: first of the destination, then of the source.
  const again = stack.spawn('up', { REMOTE_VM_URL: empty.dr.vm.url });
  await again.untilLog(/dr was emptied/);
  await stack.untilState('the copy', ({ samples_synced: samples }) => samples >= 6_000);
  expect((await empty.dr.vm.export()).size).toBe(all.length);
  await again.stop();

  stack.spawn('up', {
    LOCAL_VM_URL: empty.primary.vm.url,
    REMOTE_VM_URL: empty.dr.vm.url,
  });
  const lost = /^primary, the source of truth, carries no marker/;
  const { failback_ready: ready } = await stack.untilState('the refusal', refused(lost));
  expect(ready).toBe(false);
  expect(await ownSamples(empty.primary)).toEqual([]);
});

/** As if the markers had been there for hours. */
const keptForLong = (state: Parameters<Parameters<Stack['rewriteState']>[0]>[0]) => {
  const seen = { firstMs: Date.now() - 5 * hour, lastMs: Date.now() };
  const { identity } = state;
  return { ...state, identity: { ...identity, seen: { primary: seen, dr: seen } } };
};
