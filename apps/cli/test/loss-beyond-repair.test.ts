import { type Stack, startStack } from '@vm-sync/fault-bench';
import { until, vmVersions } from '@vm-sync/testkit';
import { expect, test } from 'vitest';
import { hour, lastMinuteMs, usualSeries, without } from './support/data.ts';
import { recentLoss } from './support/recent.ts';

const day = 24 * hour;

const messages = ({ webhook }: Stack): string[] =>
  webhook.messages.map(({ json }) => (json as { text: string }).text);

/** Waits until checks have been made after this one: enough to tell something a second time. */
async function moreChecks(stack: Stack): Promise<void> {
  const sinceMs = Date.parse((await stack.state())?.last_check ?? '');
  await stack.untilState(
    'more checks',
    ({ last_check: checked }) => Date.parse(checked ?? '') >= sinceMs + 4_000,
  );
}

test.concurrent('older than the destination keeps: told once with its reason, and READY does not wait', async () => {
  await using stack = await startStack({
    role: 'dr',
    primary: { retention: '30d' },
    dr: { retention: '2d' },
    webhook: true,
    env: { QUERY_STEP: '300' },
  });
  const nowMs = lastMinuteMs();
  // Known from a mark set before: four days ago the destination began to lose samples, until an hour ago.
  const all = usualSeries(nowMs, 4 * day).slice(0, 20);
  const left = without(all, nowMs - 4 * day, nowMs - hour);
  await stack.fill({ primary: all, dr: left });
  const before = stack.spawn('scheduler', { QUERY_WINDOW: '900' });
  await stack.untilState('a first check', (state) => state.last_check !== null);
  await before.stop();
  await stack.rewriteState((state) => ({
    ...state,
    failbackReady: false,
    consecutiveClean: 0,
    marks: {
      ...state.marks,
      'primary-to-dr': {
        sinceMs: nowMs - 4 * day,
        throughMs: nowMs - 4 * day,
        unproven: [],
        earlier: [],
      },
    },
  }));
  stack.spawn('up');
  const ready = await stack.untilReady({ deadlineMs: 180_000 });
  expect(ready.not_ready_because).toEqual([]);

  // What the destination keeps (but for the day before it drops it) has been repaired, sample by sample.
  const [lost, ...others] = ready.detail.beyondRepair;
  expect(others).toEqual([]);
  expect(lost).toMatchObject({ direction: 'primary-to-dr', reason: 'destination-retention' });
  const fromMs = lost?.window.fromMs ?? 0;
  const toMs = lost?.window.toMs ?? 0;
  expect(fromMs).toBeLessThanOrEqual(nowMs - 4 * day + 300_000);
  expect(Math.abs(toMs - (nowMs - day))).toBeLessThan(hour);
  expect(await stack.compareRaw({ fromMs: toMs + 1 })).toMatchObject({ onlyA: 0, onlyB: 0 });
  const older = await stack.compareRaw({ toMs });
  expect(older.onlyA).toBeGreaterThan(0);

  const beyond = () => messages(stack).filter((text) => text.includes('Beyond repair'));
  await until('the message', () => beyond().length > 0);
  await moreChecks(stack);
  const told = beyond();
  expect(told).toHaveLength(1);
  expect(told[0]).toContain('older than dr keeps (-retentionPeriod)');
  expect(messages(stack).at(-1)).toMatch(
    /FAILBACK READY .* except 1 window that no repair reaches/,
  );

  const { code, stdout } = await stack.run('status');
  expect(code).toBe(0);
  expect(stdout).toMatch(/^FAILBACK READY/);
  expect(stdout).toMatch(/beyond repair +primary → dr, .*: older than dr keeps/);
  const json = JSON.parse((await stack.run('status', ['--json'])).stdout);
  expect(json.beyond_repair).toMatchObject([
    { from: new Date(fromMs).toISOString(), to: new Date(toMs).toISOString() },
  ]);
  const api = (await (await fetch(`${stack.dashboardUrl}/api/status`)).json()) as {
    state: { beyondRepair: unknown[] };
  };
  expect(api.state.beyondRepair).toHaveLength(1);
  expect(await (await fetch(stack.dashboardUrl)).text()).toContain('Beyond repair');

  // Nobody can ask for it either, and asking takes nothing back.
  const asked = await stack.run('backfill', [
    '--from',
    new Date(fromMs).toISOString(),
    '--to',
    new Date(toMs - hour).toISOString(),
  ]);
  expect(asked.code).toBe(2);
  expect(asked.stderr).toContain('beyond repair');
  await moreChecks(stack);
  expect((await stack.state())?.failback_ready).toBe(true);
});

test.concurrent.each(vmVersions)(
  'dropped by the limits of the destination (%s): stuck, told once with the flag to raise',
  async (version) => {
    await using stack = await startStack({
      role: 'dr',
      primary: { version },
      dr: { version, flags: ['-maxLabelValueLen=30'] },
      webhook: true,
    });
    const { all } = recentLoss();
    const long = recentLoss({ count: 5, labels: { path: '/'.repeat(31) } }).all;
    await stack.fill({ primary: [...all, ...long], dr: all });
    stack.watchReady(() => 'series are dropped');
    stack.spawn('up');
    const stuck = () => messages(stack).filter((text) => text.includes('Gap stuck'));
    await until('a stuck gap', () => stuck().length > 0, { deadlineMs: 180_000 });
    await moreChecks(stack);
    expect(stuck()).toHaveLength(1);
    expect(stuck()[0]).toMatch(/accepted the import, but .* -maxLabelValueLen .*raise it there/);
    const state = await stack.state();
    expect(state?.failback_ready).toBe(false);
    expect(state?.not_ready_because.join()).toContain('-maxLabelValueLen');
    expect((await stack.run('status')).stdout).toMatch(/stuck +primary → dr, /);
    // Nothing but the first tries: it is not asked again and again.
    const attempts = (await stack.chunks()).map((chunk) => chunk.attempts);
    await moreChecks(stack);
    expect((await stack.chunks()).map((chunk) => chunk.attempts)).toEqual(attempts);
  },
);
