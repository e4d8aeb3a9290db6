import { type Stack, startStack } from '@vm-sync/fault-bench';
import { BackfillOrder, openQueue } from '@vm-sync/queue';
import { noDifference, until } from '@vm-sync/testkit';
import { expect, test } from 'vitest';
import { hour, lastMinuteMs, minute, usualSeries, without } from './support/data.ts';

const noRedis = { REDIS_URL: 'redis://127.0.0.1:9' };
const iso = (atMs: number): string => new Date(atMs).toISOString();

/** Half an hour that dr lacks, older than what checks look at. */
async function startWithOldHole(): Promise<{ stack: Stack; range: string[]; lost: number }> {
  const nowMs = lastMinuteMs();
  const all = usualSeries(nowMs, 3 * hour);
  const [fromMs, toMs] = [nowMs - 150 * minute, nowMs - 120 * minute];
  const stack = await startStack({ role: 'dr', env: { QUERY_WINDOW: '1800' } });
  await stack.fill({ primary: all, dr: without(all, fromMs, toMs) });
  return { stack, range: ['--from', iso(fromMs), '--to', iso(toMs)], lost: 3_000 };
}

const listed = async (stack: Stack) =>
  JSON.parse((await stack.run('backfill', ['list', '--json'])).stdout).backfills;

/** By the state file first: a command for every look would keep a processor busy. */
async function untilFirstIs(stack: Stack, wanted: string): Promise<void> {
  await stack.untilState(wanted, ({ detail }) => detail.backfills[0]?.state === wanted);
  expect((await listed(stack))[0].backfill.state).toBe(wanted);
}

async function ordered(stack: Stack): Promise<BackfillOrder[]> {
  const checks = openQueue('checks', { url: stack.redis.url });
  try {
    const jobs = (await checks.getJobs()).filter((job) => job.name === 'backfill');
    return jobs.map((job) => BackfillOrder.parse(job.data));
  } finally {
    await checks.close();
  }
}

test.concurrent('a dry run says what would be copied, needs no Redis, and copies nothing', async () => {
  const { stack: started, range, lost } = await startWithOldHole();
  await using stack = started;
  const dry = await stack.run('backfill', [...range, '--dry-run'], noRedis);
  expect([dry.code, dry.stderr]).toEqual([1, '']);
  expect(dry.stdout).toMatch(/^dry run, primary → dr: \S+ – \S+\n/);
  expect(dry.stdout).toContain(
    '3,000 samples of up to 100 series are missing on dr, in 1 windows (',
  );
  expect(dry.stdout).toMatch(/\nbytes: about 60,000 \(at the most: 20 bytes a sample/);
  expect(dry.stdout).toMatch(/\ntime: unknown \(not measured: Redis cannot be reached/);
  const match = ['--match', '{__name__=~".+",instance="none"} {__name__="none"}'];
  const json = JSON.parse((await stack.run('backfill', [...range, '--dry-run', '--json'])).stdout);
  expect(json).toMatchObject({ samples: lost, atLeast: false, takesMs: null });
  expect(json.timeBasis).toBe('no repair has been measured yet');
  expect(json.lacking).toEqual([json.window]);
  const none = await stack.run('backfill', [...range, ...match, '--dry-run']);
  expect([none.code, none.stderr]).toEqual([2, expect.stringMatching(/holds no samples in/)]);
  expect((await stack.compareRaw()).onlyA).toBe(lost);
  expect(await ordered(stack)).toEqual([]);
});

test.concurrent('a backfill repairs what it was asked for, and says how far it is', async () => {
  const { stack: started, range } = await startWithOldHole();
  await using stack = started;
  stack.watchReady();
  const early = await stack.run('backfill', range);
  expect([early.code, early.stderr]).toEqual([2, expect.stringMatching(/no direction is known/)]);
  expect(await ordered(stack)).toEqual([]);
  expect((await stack.run('backfill', ['list'])).stdout).toBe('no backfill has been asked for\n');

  const up = stack.spawn('up');
  const state = await stack.untilState('a difference in older history', (seen) =>
    seen.not_ready_because.some((why) => /differ before .*run vm-sync backfill --from/.test(why)),
  );
  expect(state.failback_ready).toBe(false);
  // Watched to its end.
  const asked = await stack.run('backfill', [...adviceOf(state.not_ready_because), '--watch']);
  expect([asked.code, asked.stderr]).toEqual([0, '']);
  const [, id] = /^backfill (\S+) asked for: .*\n\1 {2}done {2}/.exec(asked.stdout) ?? [];
  await stack.untilReady();
  const [done] = await listed(stack);
  expect(done).toMatchObject({
    backfill: { id, state: 'done', samplesRepaired: 3_000 },
    share: { proven: 1, provenOrRepaired: 1 },
  });
  expect((await stack.run('backfill', ['list'])).stdout).toMatch(
    new RegExp(`^${id} {2}done {2}primary → dr .*\n {2}3,000 samples repaired\n$`),
  );
  const late = await stack.run('backfill', ['pause', id ?? '', '--json']);
  expect([late.code, late.stderr]).toEqual([2, expect.stringContaining(`${id} is done`)]);
  expect(JSON.parse(late.stdout).error).toContain(`${id} is done`);
  // Now a repair has been measured.
  const dry = await stack.run('backfill', [...range, '--dry-run']);
  expect([dry.code, dry.stdout]).toEqual([0, expect.stringMatching(/nothing is missing\n$/)]);
  expect(up.ended).toBeUndefined();
  expect(await stack.compareRaw()).toEqual(noDifference);
});

/** The arguments of the command that vm-sync itself advises. */
function adviceOf(reasons: readonly string[]): string[] {
  const found = reasons.map((why) => /backfill (--from \S+ --to \S+)/.exec(why)?.[1]).find(Boolean);
  return found?.split(' ') ?? [];
}

/** A backfill whose chunks wait: the queue is paused. */
async function startHeld(stack: Stack, range: readonly string[]): Promise<string> {
  await stack.run('pause');
  stack.spawn('up');
  await stack.untilState('a check', (state) => state.active_site === 'primary');
  const asked = JSON.parse((await stack.run('backfill', [...range, '--json'])).stdout);
  await until('a planned chunk', async () => (await stack.chunks()).length > 0);
  return asked.id;
}

test.concurrent('a paused backfill waits without using up tries, and goes on when it is resumed', async () => {
  const { stack: started, range, lost } = await startWithOldHole();
  await using stack = started;
  const id = await startHeld(stack, range);
  expect((await stack.run('backfill', ['pause', id])).code).toBe(0);
  await untilFirstIs(stack, 'paused');
  const twice = await stack.run('backfill', range);
  expect([twice.code, twice.stderr]).toEqual([2, expect.stringMatching(/is paused already/)]);
  await stack.run('resume');
  await until('chunks that wait', async () => {
    const chunks = await stack.chunks();
    return chunks.length > 0 && chunks.every(({ state }) => state === 'delayed');
  });
  expect((await stack.compareRaw()).onlyA).toBe(lost);
  const status = await stack.run('status');
  expect(status.stdout).toContain(`paused: vm-sync backfill resume ${id}`);
  expect(status.stdout).toMatch(/run \(paused\) +primary → dr: 0 of \d+ chunks, 0 %/);

  expect((await stack.run('backfill', ['resume', id])).code).toBe(0);
  await untilFirstIs(stack, 'done');
  const chunks = await stack.chunks();
  expect(chunks.map(({ state, failedReason }) => [state, failedReason])).toEqual(
    chunks.map(() => ['completed', undefined]),
  );
  expect(await stack.compareRaw()).toEqual(noDifference);
});

test.concurrent('a cancelled backfill copies nothing more, and its run ends', async () => {
  const { stack: started, range, lost } = await startWithOldHole();
  await using stack = started;
  const id = await startHeld(stack, range);
  expect((await stack.run('backfill', ['cancel', id])).code).toBe(0);
  await untilFirstIs(stack, 'cancelled');
  await stack.run('resume');
  await until('chunks that ended', async () =>
    (await stack.chunks()).every(({ result }) => result?.outcome === 'cancelled'),
  );
  const runs = async () =>
    JSON.parse(await (await fetch(`${stack.dashboardUrl}/api/runs`)).text()).runs;
  await until('a run that ended', async () => (await runs())[0].settledMs !== null);
  expect((await runs())[0]).toMatchObject({ backfillId: id, state: 'cancelled', samplesCopied: 0 });
  expect((await stack.compareRaw()).onlyA).toBe(lost);
  expect((await stack.state())?.last_sync).toBeNull();
  const late = await stack.run('backfill', ['resume', id]);
  expect([late.code, late.stderr]).toEqual([2, expect.stringMatching(/is cancelled/)]);
});

test.concurrent('what no site keeps any more is refused as beyond repair', async () => {
  await using stack = await startStack({ primary: { retention: '30d' }, dr: { retention: '10d' } });
  const nowMs = lastMinuteMs();
  const all = usualSeries(nowMs, hour);
  await stack.fill({ primary: all, dr: all });
  stack.spawn('scheduler');
  await stack.untilState('a check', (state) => state.active_site === 'primary');
  const old = ['--from', '25d', '--to', '12d'];
  for (const [args, env] of [
    [old, {}],
    [[...old, '--dry-run'], noRedis],
  ] as const) {
    const refused = await stack.run('backfill', args, env);
    expect([refused.code, refused.stderr]).toEqual([
      2,
      expect.stringMatching(/^--to: the whole range is beyond repair: .*dr keeps 10d\)/),
    ]);
  }
  expect(await ordered(stack)).toEqual([]);
  const cut = JSON.parse(
    (await stack.run('backfill', ['--from', '25d', '--to', '1h', '--json'])).stdout,
  );
  expect(nowMs - cut.window.fromMs).toBeLessThan(10 * 24 * hour);
});
