import { startStack } from '@vm-sync/fault-bench';
import { type Series, until } from '@vm-sync/testkit';
import { expect, test } from 'vitest';
import { lastMinuteMs, minute, without } from './support/data.ts';
import { recentLoss } from './support/recent.ts';

const tenMinutes = 10 * minute;

/** For a vm-sync on a machine whose clock is fast: everything that it asks for the time is told a later one. */
const fastClock = (ms: number) => {
  const script = `const now = Date.now;
    globalThis.Date = class extends Date {
      constructor(...given) { super(...(given.length === 0 ? [now() + ${ms}] : given)); }
      static now() { return now() + ${ms}; }
    };`;
  return { NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(script)}` };
};

test.concurrent('this machine is 10 minutes fast: noticed, and what is in flight is no gap', async () => {
  const { all } = recentLoss();
  const nowMs = lastMinuteMs();
  // The newest samples have reached one site only, yet.
  const landed: Series[] = without(all, nowMs - 2 * minute, nowMs);
  await using stack = await startStack({
    webhook: true,
    env: { SETTLE_SECONDS: '300', FAILBACK_CLEAN_CHECKS: '1' },
  });
  await stack.fill({ primary: all, dr: landed });
  const fast = fastClock(tenMinutes);
  stack.spawn('up', fast);
  const state = await stack.untilState(
    'clean checks',
    ({ consecutive_clean: clean }) => clean >= 3,
  );
  expect(state).toMatchObject({ failback_ready: false, gaps_detected: 0, samples_synced: 0 });
  expect(state.not_ready_because).toEqual([
    expect.stringMatching(
      /^the clocks are \S+( \S+)? apart \(primary's is \S+( \S+)? behind this machine's, dr's is/,
    ),
  ]);
  const through = Date.parse(state.verified_through['primary-to-dr'] ?? '');
  expect(through).toBeLessThanOrEqual(Date.now() - 5 * minute);
  expect(await stack.chunks()).toEqual([]);

  const doctor = await stack.run('doctor', [], fast);
  expect(doctor.code).toBe(1);
  expect(doctor.stdout).toMatch(/^FAULT {2}the clocks: are (10m|9m 5\ds) apart/m);
  expect((await stack.run('status', [], fast)).stdout).toMatch(
    /^fault +the clocks are (10m|9m 5\ds) apart/m,
  );
  const shown = await (await fetch(`${stack.dashboardUrl}/api/status`)).json();
  expect(shown).toMatchObject({ twins: [{ key: 'clocks', severity: 'fault' }] });
  const told = await until(
    'a message',
    () => stack.webhook.messages.length > 0 && stack.webhook.messages,
  );
  expect(JSON.stringify(told)).toMatch(/the clocks are (10m|9m 5\ds) apart/);
  expect(stack.webhook.messages).toHaveLength(1);
});

test.concurrent('the clock of a site jumps by 10 minutes: READY is withdrawn, nothing is repaired, told once', async () => {
  const { all } = recentLoss();
  await using stack = await startStack({
    webhook: true,
    dr: { proxy: true },
    env: { FAILBACK_CLEAN_CHECKS: '1' },
  });
  await stack.fill({ primary: all, dr: all });
  stack.watchReady();
  const scheduler = stack.spawn('up');
  await stack.untilReady();
  for (const [ms, words] of [
    [-tenMinutes, 'behind'],
    [tenMinutes, 'ahead of'],
  ] as const) {
    stack.dr.proxy.setFault({ kind: 'shift-clock', path: '/api/v1/query', ms });
    const off = await stack.untilState(`NOT READY, ${words}`, ({ not_ready_because: why }) =>
      why.some((reason) => reason.startsWith('the clocks') && reason.includes(words)),
    );
    expect(off).toMatchObject({ failback_ready: false, gaps_detected: 0, samples_synced: 0 });
    stack.dr.proxy.setFault(null);
    await stack.untilReady();
  }
  await scheduler.untilLog(/READY WITHDRAWN \(the clocks are/);
  const messages = (words: string) =>
    stack.webhook.messages.filter(({ body }) => body.includes(words)).length;
  // READY that was away for a moment only is not told again.
  await until('READY as often as its end, and once', () => {
    const [ready, withdrawn] = [messages('FAILBACK READY ('), messages('READY WITHDRAWN (')];
    return ready === withdrawn + 1;
  });
  expect(messages('VM-Sync: the clocks are')).toBe(1);
});
