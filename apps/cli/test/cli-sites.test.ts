import { startStack } from '@vm-sync/fault-bench';
import { type Fault, selfSignedCertificate, startVictoriaMetrics } from '@vm-sync/testkit';
import { expect, onTestFinished, test } from 'vitest';
import { recentLoss } from './support/recent.ts';

type Case = { fault: Fault; says: RegExp };

const answer = (status: number, body: string, more: Partial<Fault> = {}): Fault =>
  ({ kind: 'answer', status, body, ...more }) as Fault;
const html = { headers: { 'content-type': 'text/html' } };
const page = '<!doctype html><title>router</title>';

/** What a site can answer instead of what was asked, and what is then said of it. */
const cases: Record<string, Case> = {
  'a web page': { fault: answer(200, page, html), says: /answered a web page; check that the URL/ },
  'a web page instead of a count': {
    fault: answer(200, page, { ...html, path: '/query_range' }),
    says: /VM query error: dr \(\S+\) answered /,
  },
  'JSON of something else': {
    fault: answer(200, '{"ok":true}'),
    says: /something else than a query/,
  },
  'JSON that breaks off': {
    fault: { kind: 'cut', path: '/query_range', afterBytes: 90, end: 'clean' },
    says: /VM query error: dr/,
  },
  'an answer that breaks off': {
    fault: { kind: 'cut', path: '/query_range', afterBytes: 90, end: 'reset' },
    says: /broke the connection off/,
  },
  'not found': {
    fault: answer(404, page, html),
    says: /404 with a web page; this path is not served/,
  },
  'a wrong login': { fault: answer(401, ''), says: /answered 401; login refused: check LOCAL_VM_/ },
  '422': {
    fault: answer(422, '{"status":"error","errorType":"422","error":"cannot parse"}'),
    says: /answered 422: cannot parse/,
  },
  '429': {
    fault: answer(429, 'slow down', { headers: { 'retry-after': '1' } } as Partial<Fault>),
    says: /answered 429: slow down; it is busy/,
  },
  '503': { fault: answer(503, 'try later'), says: /answered 503: try later; it is busy/ },
  '502 of a proxy': {
    fault: answer(502, page, html),
    says: /answered 502 with a web page; tried again/,
  },
  nothing: { fault: { kind: 'black-hole', path: '/api/v1/query' }, says: /did not answer in time/ },
};

const halves = [0, 1].map((half) => Object.entries(cases).filter((_, at) => at % 2 === half));

test.concurrent.each(halves.map((some) => [some.map(([name]) => name).join(', '), some] as const))(
  'a site that answers badly makes every check unknown, and READY is withdrawn: %s',
  async (_, some) => {
    const { all } = recentLoss();
    await using stack = await startStack({
      dr: { proxy: true },
      env: { CHECK_INTERVAL: '1', FAILBACK_CLEAN_CHECKS: '1', SETTLE_SECONDS: '1' },
    });
    await stack.fill({ primary: all, dr: all });
    stack.watchReady();
    const scheduler = stack.spawn('scheduler');
    await stack.untilReady();
    for (const [name, { fault, says }] of some) {
      const throughMs = (await stack.state())?.detail.marks['primary-to-dr']?.throughMs ?? 0;
      stack.dr.proxy.setFault(fault);
      const [seen, ran] = await Promise.all([
        stack.untilState(
          `unknown by ${name}`,
          ({ last_error: error, failback_ready: ready }) => says.test(error ?? '') && !ready,
        ),
        stack.run('check'),
      ]);
      expect([name, seen.consecutive_clean]).toEqual([name, 0]);
      expect(seen.last_error).toContain(stack.dr.proxy.url);
      expect([name, ran.code]).toEqual([name, 2]);
      expect(ran.stdout).toMatch(/^unknown: /);
      expect(ran.stdout).toMatch(says);
      stack.dr.proxy.setFault(null);
      const after = await stack.untilState(
        `clean after ${name}`,
        ({ consecutive_clean: clean }) => clean > 0,
      );
      expect(after.last_error).toBeNull();
      const { doubtMs, marks } = after.detail;
      const through = marks['primary-to-dr']?.throughMs ?? 0;
      expect(through).toBeGreaterThanOrEqual(throughMs);
      // READY waits until what was written while the site could not be asked has settled: a minute may have ended just now.
      if (after.failback_ready) expect(doubtMs).toBeLessThanOrEqual(through);
    }
    await stack.untilReady();
    expect(scheduler.ended).toBeUndefined();
    // Each kind of fault is told once, in the words of the guides, with the plain URL and the check that saw it.
    const told = scheduler.lines.filter(({ event }) => event === 'check-unknown');
    const said = `Check unknown: Remote VM unhealthy: ${stack.dr.proxy.url} (`;
    expect(told.find(({ msg }) => msg.includes(said))).toMatchObject({
      level: 'warn',
      checkId: expect.any(String),
    });
    expect(new Set(told.map(({ msg }) => msg)).size).toBe(told.length);
  },
);

test.concurrent('a certificate that does not verify, and one that does', async () => {
  const { all } = recentLoss();
  const tls = await selfSignedCertificate();
  await using stack = await startStack({ dr: { tls } });
  await stack.fill({ primary: all, dr: all });
  const doubted = await stack.run('check');
  expect(doubted.code).toBe(2);
  expect(doubted.stdout).toMatch(
    /shows a certificate that does not verify \(\w+\): set …_VM_CA_FILE/,
  );
  const trusted = await stack.run('check', [], { REMOTE_VM_CA_FILE: tls.caCert });
  expect([trusted.code, trusted.stderr]).toEqual([0, '']);
  const plain = await stack.run('check', [], {
    REMOTE_VM_URL: stack.dr.url.replace('https', 'http'),
  });
  expect(plain.code).toBe(2);
  expect(plain.stdout).toMatch(/^unknown: Remote VM unhealthy: /);
});

test.concurrent('wrong passwords, and a program that is no VictoriaMetrics', async () => {
  await using stack = await startStack({
    primary: { auth: { username: 'reader', password: 'right' } },
    dr: { version: 'newest', auth: { username: 'reader', password: 'right' } },
  });
  const { code, stdout } = await stack.run('check', [], {
    LOCAL_VM_PASSWORD: 'wrong',
    REMOTE_VM_URL: `http://127.0.0.1:${stack.redis.port}`,
  });
  expect(code).toBe(2);
  expect(stdout).toMatch(/Local VM unhealthy: .* answered 401.*login refused: check LOCAL_VM_/);
  expect(stdout).toMatch(/; Remote VM unhealthy: /);
  const json = await stack.run('check', ['--json'], { REMOTE_VM_PASSWORD: 'wrong' });
  expect(json.code).toBe(2);
  expect(JSON.parse(json.stdout)).toMatchObject({ outcome: 'unknown' });
});

test.concurrent('a database whose disk is full is waited for', async () => {
  const full = await startVictoriaMetrics({ flags: ['-storage.minFreeDiskSpaceBytes=1e18'] });
  onTestFinished(() => full.kill());
  await using stack = await startStack();
  const { code, stdout } = await stack.run('doctor', [], { REMOTE_VM_URL: full.url });
  expect(code).toBe(1);
  expect(stdout).toMatch(/FAULT {2}dr: its storage is read-only: free disk space there/);
});

test.concurrent('the doctor compares what both sites say of themselves', async () => {
  await using stack = await startStack({
    primary: {
      dedup: '1ms',
      flags: ['-maxLabelsPerTimeseries=20', '-storage.maxHourlySeries=500'],
    },
    dr: { dedup: '1ms', version: 'newest', flags: ['-storage.maxDailySeries=9000'] },
  });
  const { code, stdout } = await stack.run('doctor', ['--json']);
  expect(code).toBe(0);
  const findings: { what: string; verdict: string; text: string }[] = JSON.parse(stdout);
  const beside = ['Redis', 'messages'];
  const advice = findings.filter(
    ({ verdict, what }) => verdict === 'advice' && !beside.includes(what),
  );
  expect(advice.map(({ what, text }) => `${what} ${text.slice(0, text.indexOf(')'))}`)).toEqual([
    'both sites accept different numbers of labels (-maxLabelsPerTimeseries: primary 20, dr 40',
    'both sites accept label values of different lengths (-maxLabelValueLen: primary 16384, dr 4096',
    'primary drops series beyond 500 an hour (-storage.maxHourlySeries',
    'dr drops series beyond 9000 a day (-storage.maxDailySeries',
  ]);
  const scheduler = stack.spawn('scheduler');
  await scheduler.untilLog(/^Settings compared: both sites accept different numbers of labels/);
  await scheduler.stop();
  // Told once, but every start says it.
  const again = stack.spawn('scheduler');
  await again.untilLog(/^Settings compared: both sites accept different numbers of labels/);
});
