import { startStack } from '@vm-sync/fault-bench';
import { noDifference, startFaultProxy, until } from '@vm-sync/testkit';
import { expect, test } from 'vitest';
import { recentLoss } from './support/recent.ts';

test.concurrent('two vm-syncs over one gap: each missing sample is imported once, both say READY, and when the one that repairs is killed the other takes over', async () => {
  const { all, left, lost } = recentLoss();
  // Neither database deduplicates: what is imported twice is there twice.
  await using stack = await startStack({ role: 'dr' });
  const other = await stack.second();
  await stack.fill({ primary: all, dr: left });
  stack.watchReady();
  const beside = stack.spawn('up');
  const away = other.spawn('up');
  await Promise.all([stack.untilReady(), other.untilReady()]);
  expect(await stack.compareRaw()).toEqual(noDifference);
  const [ours, theirs] = [await stack.state(), await other.state()];
  expect([ours?.samples_synced, theirs?.samples_synced]).toEqual([2_000, 0]);
  expect(ours?.detail.identity.pair).toBe(theirs?.detail.identity.pair);
  expect((await other.run('status')).stdout).toMatch(
    /^this vm-sync +primary's, watches: dr's vm-sync repairs, heartbeat \S+ ago$/m,
  );
  expect((await stack.run('status')).stdout).toMatch(/^this vm-sync +dr's, repairs/m);
  expect((await other.run('doctor')).stdout).toMatch(/^ok +duty: last heartbeat of dr's vm-sync/m);

  await beside.kill();
  const { all: more, left: moreLeft } = recentLoss({ labels: { more: 'yes' } });
  await stack.fill({ primary: more, dr: moreLeft });
  await away.untilLog(/primary's vm-sync repairs: nothing was heard of dr's vm-sync/);
  const repaired = await other.untilState(
    'the repair by the other',
    ({ samples_synced: samples, failback_ready: ready }) => samples >= lost.length && ready,
  );
  expect(repaired.samples_synced).toBeGreaterThanOrEqual(2_000);
  expect(await stack.compareRaw()).toEqual(noDifference);

  // Back again, the first one takes its duty back when the other has given it up.
  const back = stack.spawn('up');
  await back.untilLog(/dr's vm-sync repairs: it stands beside the destination/);
  expect(away.lines.some(({ msg }) => /primary's vm-sync watches: dr's/.test(msg))).toBe(true);
});

test.concurrent('a partition in which each vm-sync sees only its own VM: both unknown, neither READY', async () => {
  const { all } = recentLoss();
  await using stack = await startStack({ role: 'dr' });
  const [toPrimary, toDr] = await Promise.all([
    startFaultProxy({ target: stack.primary.vm.url }),
    startFaultProxy({ target: stack.dr.vm.url }),
  ]);
  try {
    const other = await stack.second({ REMOTE_VM_URL: toDr.url });
    await stack.fill({ primary: all, dr: all });
    let apart = false;
    stack.watchReady(({ last_check: at }) => apart && `the sites were apart at ${at}`);
    stack.spawn('up', { REMOTE_VM_URL: toPrimary.url });
    other.spawn('up');
    await Promise.all([stack.untilReady(), other.untilReady()]);
    for (const proxy of [toPrimary, toDr]) proxy.setFault({ kind: 'answer', status: 502 });
    const unknown = ({
      last_error: error,
      failback_ready: ready,
    }: {
      last_error: string | null;
      failback_ready: boolean;
    }) => !ready && /Remote VM unhealthy/.test(error ?? '');
    await Promise.all([stack.untilState('unknown', unknown), other.untilState('unknown', unknown)]);
    apart = true;
    // The away one must not take over what it cannot reach, however long it hears nothing.
    await until(
      'silence',
      async () => /cannot repair|is silent/.test((await other.run('status')).stdout),
      { deadlineMs: 60_000, everyMs: 1_000 },
    );
    const { stdout } = await other.run('status');
    expect(stdout).not.toMatch(/^this vm-sync +primary's, repairs/m);
    for (const one of [stack, other]) expect((await one.run('ready')).code).toBe(2);
  } finally {
    await Promise.all([toPrimary.stop(), toDr.stop()]);
  }
});
