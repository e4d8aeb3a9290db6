import { type Stack, startStack } from '@vm-sync/fault-bench';
import { noDifference, until } from '@vm-sync/testkit';
import { expect, test } from 'vitest';
import { recentLoss } from './support/recent.ts';

const noRedis = { REDIS_URL: 'redis://127.0.0.1:9' };

test.concurrent('check and plan find gaps without Redis, and write nothing', async () => {
  const { all, left, lost } = recentLoss();
  await using stack = await startStack();
  await stack.fill({ primary: all, dr: left });
  const { examples: _, ...before } = await stack.compareRaw();

  const check = await stack.run('check', [], noRedis);
  expect([check.code, check.stderr]).toEqual([1, '']);
  expect(check.stdout).toMatch(/^gaps: primary → dr, ACTIVE_SITE pins the primary site\n/);
  expect(check.stdout).toMatch(/gaps, 2,000 samples missing on dr\n/);
  const report = JSON.parse((await stack.run('check', ['--json'], noRedis)).stdout);
  expect(report).toMatchObject({ outcome: 'gaps', tallied: { missing: 2_000, series: 100 } });

  const plan = await stack.run('plan', [], noRedis);
  expect(plan.code).toBe(1);
  expect(plan.stdout).toMatch(
    /^\d chunks, primary → dr\n {2}\S+Z – \S+Z {2}[\d,]+ samples of 100 series/,
  );
  const { chunks } = JSON.parse((await stack.run('plan', ['--json'], noRedis)).stdout);
  expect(chunks.reduce((sum: number, chunk: { samples: number }) => sum + chunk.samples, 0)).toBe(
    2_000,
  );

  expect(await stack.compareRaw()).toMatchObject(before);
  expect(before.onlyA).toBe(2_000);
  expect(await stack.state()).toBeUndefined();

  await stack.fill({ dr: lost });
  expect(await stack.compareRaw()).toEqual(noDifference);
  const clean = await stack.run('check', [], noRedis);
  expect([clean.code, clean.stderr]).toEqual([0, '']);
  expect(clean.stdout).toMatch(/^clean: primary → dr/);
  expect((await stack.run('plan', [], noRedis)).code).toBe(0);
});

test.concurrent('status and ready: unknown, paused with gaps, ready, and too old to say', async () => {
  const { all, left } = recentLoss();
  await using stack = await startStack({ role: 'dr' });
  await stack.fill({ primary: all, dr: left });
  stack.watchReady();
  expect(await codes(stack)).toEqual({ status: 2, ready: 2 });
  expect((await stack.run('pause')).stdout).toMatch(/paused/);

  const up = stack.spawn('up');
  await stack.untilState('gaps', ({ gaps_detected: gaps }) => gaps > 0);
  await until('a planned chunk', async () => (await stack.chunks()).length > 0);
  const status = await stack.run('status');
  expect(status.code).toBe(1);
  expect(status.stdout).toMatch(/^NOT READY\n {2}dr lacks 2000 samples in \d+ gaps\n/);
  expect(status.stdout).toMatch(/repairs +paused/);
  const json = JSON.parse((await stack.run('status', ['--json'])).stdout);
  expect(json).toMatchObject({ ready: false, known: true, paused: true, active_site: 'primary' });
  const ready = await stack.run('ready', ['--site', 'dr']);
  expect(ready.code).toBe(1);
  expect(ready.stderr).toMatch(/^NOT READY: dr lacks 2000 samples/);
  const chunks = await stack.chunks();
  expect(chunks.filter(({ attempts }) => attempts > 0)).toEqual([]);
  expect((await stack.compareRaw()).onlyA).toBe(2_000);

  expect((await stack.run('resume')).code).toBe(0);
  await stack.untilReady();
  expect(await codes(stack)).toEqual({ status: 0, ready: 0 });
  expect((await stack.run('ready', ['--site', 'dr'])).stdout).toBe('dr is proven complete\n');
  expect(await stack.compareRaw()).toEqual(noDifference);

  await up.kill();
  await until('a status too old to say READY', async () => (await stack.run('ready')).code === 2, {
    everyMs: 1_000,
  });
  const old = await stack.run('status');
  expect(old.code).toBe(2);
  expect(old.stdout).toMatch(/^UNKNOWN\n {2}last check is \d+ seconds old/);
});

async function codes(stack: Stack): Promise<{ status: number | null; ready: number | null }> {
  const [status, ready] = await Promise.all([stack.run('status'), stack.run('ready')]);
  return { status: status.code, ready: ready.code };
}

test.concurrent('the doctor names what to mend', async () => {
  await using stack = await startStack({
    primary: { dedup: '60s', retention: '90d' },
    dr: { version: 'newest', retention: '30d' },
    appendonly: true,
    env: { QUERY_STEP: '90' },
  });
  const { code, stdout } = await stack.run('doctor');
  expect(code).toBe(1);
  expect(stdout).toMatch(/^ok +primary: answers queries at http:\/\/127/m);
  expect(stdout).toMatch(/^advice dr: does not deduplicate: set -dedup\.minScrapeInterval/m);
  expect(stdout).toMatch(/^FAULT {2}both sites: deduplicate differently \(primary 1m, dr off\)/m);
  expect(stdout).toMatch(/^advice both sites: keep data for different times/m);
  expect(stdout).toMatch(
    /^advice both sites: QUERY_STEP is no multiple of the deduplication interval 1m/m,
  );
  expect(stdout).toMatch(/^ok +Redis: \d\S+, append-only, noeviction/m);
  expect(stdout).toMatch(/^advice messages: NOTIFY_WEBHOOK is not set: nobody is told anything$/m);
  const targets = {
    NOTIFY_WEBHOOK: 'https://hooks.slack.com/s3cret',
    NOTIFY_WEBHOOK_2: 'https://events.example/s3cret',
    NOTIFY_FORMAT_2: 'json',
    NOTIFY_MIN_SEVERITY_2: 'error',
  };
  const alone = await stack.run('doctor', ['--json'], { ...noRedis, ...targets });
  expect(alone.code).toBe(1);
  expect(JSON.parse(alone.stdout)).toContainEqual({
    what: 'Redis',
    verdict: 'fault',
    text: expect.stringMatching(/^Redis cannot be reached \(REDIS_URL\)/),
  });
  expect(JSON.parse(alone.stdout)).toEqual(
    expect.arrayContaining([
      {
        what: 'messages',
        verdict: 'fine',
        text: 'everything goes to hooks.slack.com (NOTIFY_WEBHOOK, slack)',
      },
      {
        what: 'messages',
        verdict: 'advice',
        text: 'what is error goes to events.example (NOTIFY_WEBHOOK_2, json), unsigned: set NOTIFY_SECRET',
      },
    ]),
  );
  expect(alone.stdout).not.toContain('s3cret');
});

test.concurrent('the doctor is content with two that are alike', async () => {
  await using stack = await startStack({
    primary: { dedup: '60s' },
    dr: { dedup: '60s' },
    dns: true,
    appendonly: true,
  });
  const fine = await stack.run('doctor');
  expect([fine.code, fine.stderr]).toEqual([0, '']);
  expect(fine.stdout).toMatch(/^ok +both sites: settings agree/m);
  expect(fine.stdout).toMatch(/^ok +the clocks: agree with this machine's$/m);
  expect(fine.stdout).toMatch(
    /^ok +direction: DNS record monitoring\.test answers 192\.0\.2\.1, the primary site$/m,
  );
  await stack.dns.set([]);
  const lost = await stack.run('doctor');
  expect(lost.code).toBe(1);
  expect(lost.stdout).toMatch(/^FAULT {2}direction: .*does not exist \(NXDOMAIN\)/m);
  expect((await stack.run('check')).stdout).toMatch(/^unknown: active site unknown: DNS record/);
});

test.concurrent('starting checks at once, whatever the interval', async () => {
  const { all } = recentLoss();
  await using stack = await startStack({
    env: { CHECK_INTERVAL: '1h', FAILBACK_CLEAN_CHECKS: '1' },
  });
  await stack.fill({ primary: all, dr: all });
  let last = '';
  for (let start = 0; start < 2; start += 1) {
    const scheduler = stack.spawn('scheduler');
    await scheduler.untilLog(/^scheduler started/);
    const { last_check: at } = await stack.untilState(
      'a check by this process',
      (state) => (state.last_check ?? '') > last,
      { deadlineMs: 10_000 },
    );
    last = at ?? '';
    await scheduler.stop();
  }
});

test.concurrent.each(['SIGTERM', 'SIGINT'] as const)(
  'up ends within seconds on %s',
  async (signal) => {
    await using stack = await startStack();
    const up = stack.spawn('up');
    await up.untilLog(/^check \(/);
    process.kill(up.pid, signal);
    await until('its end', () => up.ended, { deadlineMs: 5_000, everyMs: 20 });
    expect(up.ended).toBe('exit code 0');
    const waiting = stack.spawn('up', noRedis);
    await waiting.untilLog(/Redis cannot be reached/);
    process.kill(waiting.pid, signal);
    await until('its end without Redis', () => waiting.ended, { deadlineMs: 5_000, everyMs: 20 });
    expect(waiting.ended).toBe('exit code 0');
  },
);
