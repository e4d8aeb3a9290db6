import { type Attempt, EMPTY_STATE, type SyncState, stuckId } from '@vm-sync/core';
import {
  AcknowledgeOrder,
  type AuditLine,
  CancelRunOrder,
  CHUNK_OPTIONS,
  chunkId,
  openQueue,
  PREFIX,
  QUEUES,
} from '@vm-sync/queue';
import { until } from '@vm-sync/testkit';
import { Worker } from 'bullmq';
import { describe, expect, onTestFinished, test } from 'vitest';
import { type Audited, audited } from '../src/audited.ts';
import { closeContext, openContext } from '../src/context.ts';
import { actionsPage, confirmPage } from '../src/handlers/actions-pages.ts';
import { runPage } from '../src/handlers/run-pages.ts';
import type { Handler } from '../src/http/serve.ts';
import {
  type Bench,
  chunkOrder,
  configFor,
  noForecasts,
  openRun,
  readyStatus,
  silent,
  startBench,
} from './setup.ts';

const who = 'local (no login)';
const html = { accept: 'text/html,application/xhtml+xml' };

/** As a page's form sends it. */
const send = (bench: Bench, path: string, fields: Record<string, string> = {}) =>
  bench.get(path, { method: 'POST', headers: html, body: new URLSearchParams(fields) });

const post = (bench: Bench, path: string, body: object = {}) =>
  bench.get(path, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });

const lines = async (bench: Bench): Promise<AuditLine[]> =>
  JSON.parse((await bench.get('/api/audit')).text).lines;

const told = async (bench: Bench) =>
  (await lines(bench)).map(({ by, action, what, result }) => [by, action, what, result]);

async function jobs({ redis }: Bench) {
  const checks = openQueue('checks', { url: redis.url });
  try {
    return (await checks.getJobs()).map(({ name, data }) => ({ name, data }));
  } finally {
    await checks.close();
  }
}

/** Three failed chunks: two of run-1 (one of them refused with a 503), one of run-2 the other way. */
async function failChunks(bench: Bench) {
  const connection = { url: bench.redis.url };
  const queue = openQueue('repairs', connection);
  onTestFinished(() => queue.close());
  const back = { source: 'primary', destination: 'dr' } as const;
  for (const [runId, number, more] of [
    ['run-1', 1, {}],
    ['run-1', 2, {}],
    ['run-2', 1, { direction: back }],
  ] as const) {
    const data = { ...chunkOrder(runId), ...more };
    const opts = { ...CHUNK_OPTIONS, attempts: 1, jobId: chunkId(runId, number) };
    await queue.add('repair-chunk', data, opts);
  }
  const worker = new Worker(
    QUEUES.repairs,
    async ({ id }) => {
      throw new Error(id === chunkId('run-1', 1) ? 'dr answered 503: <busy>' : 'dr: no such host');
    },
    { connection, prefix: PREFIX },
  );
  worker.on('error', () => undefined);
  await until('failed chunks', async () => (await queue.getFailedCount()) === 3);
  await worker.close();
  const failed = async () => (await queue.getFailed()).map(({ id }) => id).sort();
  return { queue, failed };
}

const gap: Attempt = {
  direction: 'dr-to-primary',
  window: { fromMs: Date.UTC(2026, 9, 1, 10), toMs: Date.UTC(2026, 9, 1, 12) },
  selectors: 'ab',
  samples: 7_777,
  times: 2,
  firstMs: Date.UTC(2026, 9, 2),
  lastMs: Date.UTC(2026, 9, 2),
  outcome: 'done',
  stuck: true,
};
const other: Attempt = { ...gap, selectors: 'cd', samples: 1 };

const withStuck = (...attempted: Attempt[]): SyncState => ({
  ...EMPTY_STATE,
  activeSite: 'dr',
  stuck: { attempted },
});

describe('a form of a page', () => {
  test('is asked first, then done, and answered with a page that says so', async () => {
    const bench = await startBench();
    const asked = await bench.get('/actions/pause');
    expect(asked.status).toBe(200);
    expect(asked.text).toContain('<form method="post" action="/api/pause"');
    expect(asked.text).toContain('Nothing resumes by itself');
    expect(asked.text).not.toContain('page.js');
    const sent = await send(bench, '/api/pause');
    expect([sent.status, sent.headers.get('location')]).toEqual([303, '/actions?done=pause']);
    const after = (await bench.get('/actions?done=pause')).text;
    expect(after).toContain('<p class="notice" role="status">Repairs are paused.</p>');
    expect(after).toContain('Resume repairs');
    expect(await told(bench)).toEqual([['page', 'pause', '', 'done']]);
    const strange = (await bench.get('/actions?done=%3Cb%3E')).text;
    expect(strange).not.toContain('class="notice"');
  });

  test('that is refused is answered with its sentence', async () => {
    const bench = await startBench();
    const refused = await send(bench, '/api/pin', { site: 'elsewhere', for: '2h' });
    expect(refused.status).toBe(400);
    expect(refused.text).toContain('Site: expected primary or dr, got &quot;elsewhere&quot;.');
    expect(await told(bench)).toEqual([
      ['page', 'pin', 'site elsewhere, for 2h', 'site: expected primary or dr, got "elsewhere"'],
    ]);
  });
});

test('every write leaves a line: who, when, what, and what came of it; also a refused one', async () => {
  const bench = await startBench({ login: { user: 'anna', password: 'three' } });
  const authorization = `Basic ${Buffer.from('anna:three').toString('base64')}`;
  const call = (path: string, body?: object) =>
    bench.get(path, {
      method: 'POST',
      headers: { authorization, 'content-type': 'application/json' },
      ...(body && { body: JSON.stringify(body) }),
    });
  const startMs = Date.now();
  await call('/api/checks');
  await call('/api/backfills', { from: '72h', to: '70h', match: ['up', 'down'] });
  await call('/api/runs/none/cancel');
  await call('/api/accept', { site: 'x'.repeat(1_000) });
  await call('/api/unpin');
  const { text } = await bench.get('/api/audit', { headers: { authorization } });
  const kept: AuditLine[] = JSON.parse(text).lines;
  expect(
    kept.map(({ action, what, result }) => [action, what.length > 200 ? 'long' : what, result]),
  ).toEqual([
    ['unpin', '', 'done'],
    ['accept', 'long', 'expected site: primary or dr, as JSON or a form'],
    ['cancel-run', 'none', 'there is no such run, or it is too old to be remembered'],
    [
      'backfill',
      'from 72h, to 70h, match ["up","down"]',
      expect.stringMatching(/^no direction is known yet/),
    ],
    ['check', '', 'done'],
  ]);
  for (const line of kept) {
    expect(line).toMatchObject({ who: 'anna', by: 'api' });
    expect(line.what.length).toBeLessThanOrEqual(300);
    expect(line.atMs).toBeGreaterThanOrEqual(startMs);
  }
  const page = (await bench.get('/audit', { headers: { authorization } })).text;
  expect(page).toContain(
    '<strong>anna</strong> <span class="muted">(api)</span> <b class="act">cancel-run</b>',
  );
  expect((await bench.get('/api/audit')).status).toBe(401);
});

describe('a viewer', () => {
  const viewer = { name: 'vera', role: 'viewer' } as const;
  const request = {
    params: {},
    query: new URLSearchParams(),
    person: viewer,
    forPeople: false,
    asksForNews: false,
    body: { site: 'dr' },
  };

  test('can do nothing, and the try is noted', async () => {
    const noted: AuditLine[] = [];
    const audit: Audited['audit'] = { add: async (line) => void noted.push(line) };
    let calls = 0;
    const handle: Handler = () => {
      calls += 1;
      return { status: 200, body: {} };
    };
    const parts = { audit, log: silent, config: configFor('redis://127.0.0.1:1') };
    const write = audited(parts, { action: 'pin', handle, shownAt: () => '/actions' });
    const answer = await write(request);
    const sentence = expect.stringMatching(/^you are logged in as a viewer/);
    expect(answer).toEqual({ status: 403, body: { error: sentence } });
    expect(calls).toBe(0);
    expect(noted).toMatchObject([{ who: 'vera', what: 'site dr', result: sentence }]);
    expect(await write({ ...request, forPeople: true })).toMatchObject({
      status: 403,
      type: 'text/html',
      body: expect.stringContaining('You are logged in as a viewer'),
    });
    expect(await write({ ...request, person: { name: 'otto', role: 'operator' } })).toMatchObject({
      status: 200,
    });
    expect(calls).toBe(1);
  });
});

describe('cancelling a run', () => {
  test('says what follows, then asks the scheduler', async () => {
    const bench = await startBench();
    await bench.store.saveRun(openRun('run-1'));
    await bench.store.countChunk('run-1', chunkId('run-1', 1), {
      atMs: Date.now(),
      planned: 4_500,
      samples: 4_500,
      bytes: 9,
    });
    const asked = (await bench.get('/actions/cancel-run?run=run-1')).text;
    expect(asked).toContain('1 of 6 chunks are done (25 % of 18,000 samples)');
    expect(asked).toContain('plans it again, unless repairs are paused');
    const sent = await send(bench, '/api/runs/run-1/cancel');
    expect([sent.status, sent.headers.get('location')]).toEqual([
      303,
      '/runs/run-1?done=cancel-run',
    ]);
    const asJson = await post(bench, '/api/runs/run-1/cancel');
    expect([asJson.status, JSON.parse(asJson.text)]).toEqual([
      202,
      { id: 'run-1', change: 'cancel' },
    ]);
    const wanted = { name: 'cancel-run', data: CancelRunOrder.parse({ runId: 'run-1', who }) };
    expect(await jobs(bench)).toEqual([wanted, wanted]);
  });

  test('is refused for what has ended, or never was', async () => {
    const bench = await startBench();
    await bench.store.saveRun({ ...openRun('run-1'), state: 'settled', settledMs: 1 });
    expect((await bench.get('/actions/cancel-run?run=run-1')).status).toBe(409);
    expect((await bench.get('/actions/cancel-run')).status).toBe(404);
    expect((await bench.get('/actions/nothing')).status).toBe(404);
    const late = await post(bench, '/api/runs/run-1/cancel');
    expect([late.status, late.text]).toEqual([409, expect.stringContaining('settled already')]);
    expect((await post(bench, '/api/runs/none/cancel')).status).toBe(404);
    expect(await jobs(bench)).toEqual([]);
  });
});

describe('retrying failed chunks', () => {
  test.each([
    [{}, []],
    [{ run: 'run-1' }, [chunkId('run-2', 1)]],
    [{ direction: 'primary-to-dr' }, [chunkId('run-1', 1), chunkId('run-1', 2)]],
    [{ error: '<BUSY>', run: '', direction: '' }, [chunkId('run-1', 2), chunkId('run-2', 1)]],
  ])('%j leaves %j failed', async (filter, left) => {
    const bench = await startBench();
    const { failed } = await failChunks(bench);
    const query = new URLSearchParams(filter as Record<string, string>);
    const asked = (await bench.get(`/actions/retry?${query}`)).text;
    expect(asked).toContain(`Retry ${3 - left.length} failed chunk`);
    expect(asked).not.toContain('<busy>');
    const answer = await post(bench, '/api/chunks/retry', filter);
    expect([answer.status, JSON.parse(answer.text)]).toEqual([200, { retried: 3 - left.length }]);
    expect(await failed()).toEqual(left);
  });

  test('is refused where nothing fits, and for strange fields', async () => {
    const bench = await startBench();
    const nothing = await post(bench, '/api/chunks/retry', { error: 'x' });
    expect([nothing.status, nothing.text]).toEqual([
      409,
      expect.stringContaining('no failed chunk fits'),
    ]);
    expect((await bench.get('/actions/retry')).status).toBe(409);
    for (const body of [{ direction: 'up' }, { runs: 'run-1' }, { error: 5 }]) {
      expect((await post(bench, '/api/chunks/retry', body)).status).toBe(400);
    }
    expect((await bench.get('/actions/retry?direction=up')).status).toBe(400);
  });
});

describe('acknowledging a stuck gap', () => {
  test('names what is known, and asks the scheduler to remember it', async () => {
    const bench = await startBench();
    const known = { ...other, acknowledged: { who: 'bert', atMs: Date.now() } };
    await bench.store.saveState(withStuck(gap, known));
    const { stuck } = JSON.parse((await bench.get('/api/stuck')).text);
    expect(stuck).toMatchObject([{ gap: stuckId(gap), samples: 7_777 }, { gap: stuckId(other) }]);
    const query = new URLSearchParams({ gap: stuckId(gap) });
    const asked = (await bench.get(`/actions/acknowledge?${query}`)).text;
    expect(asked).toContain('READY stays withheld');
    expect(asked).toContain('7,777 samples');
    const named = await post(bench, '/api/acknowledge', { gap: stuckId(gap) });
    expect(JSON.parse(named.text)).toEqual({ acknowledged: [stuckId(gap)] });
    expect((await send(bench, '/api/acknowledge', { gap: 'all' })).status).toBe(303);
    const order = AcknowledgeOrder.parse({ gaps: [stuckId(gap)], who });
    const wanted = { name: 'acknowledge', data: order };
    expect(await jobs(bench)).toEqual([wanted, wanted]);
    const actions = (await bench.get('/actions')).text;
    expect(actions).toContain('acknowledged by bert');
  });

  test('is refused for what is not stuck, or acknowledged already', async () => {
    const bench = await startBench();
    expect((await post(bench, '/api/acknowledge')).status).toBe(400);
    expect((await post(bench, '/api/acknowledge', { gap: 'all' })).status).toBe(409);
    const known = { ...gap, acknowledged: { who: 'bert', atMs: 1 } };
    await bench.store.saveState(withStuck({ ...other, stuck: false }, known));
    for (const [name, sentence] of [
      [stuckId(other), /there is no stuck gap/],
      ['all', /acknowledged already, by bert/],
    ] as const) {
      const refused = await post(bench, '/api/acknowledge', { gap: name });
      expect([refused.status, refused.text]).toEqual([409, expect.stringMatching(sentence)]);
    }
    expect((await bench.get('/actions/acknowledge?gap=x')).status).toBe(409);
    expect(await jobs(bench)).toEqual([]);
  });
});

test('a backfill is confirmed with the figures of its dry run', async () => {
  const hourMs = 3_600_000;
  let dryRuns = 0;
  const bench = await startBench({
    forecast: async (range) => {
      dryRuns += 1;
      return {
        ...range,
        direction: { source: 'dr', destination: 'primary' },
        lacking: [range.window],
        series: 3,
        samples: 1_234,
        chunks: 2,
        atLeast: true,
        byCountsOnly: false,
        bytes: 20_000,
        bytesBasis: 'about 20 bytes a sample',
        takesMs: 65_000,
        timeBasis: 'as the last runs',
      };
    },
  });
  await bench.store.saveState({ ...EMPTY_STATE, activeSite: 'dr' });
  const toMs = Math.floor(Date.now() / hourMs) * hourMs - hourMs;
  const [from, to] = [toMs - hourMs, toMs].map((ms) => new Date(ms).toISOString());
  const query = new URLSearchParams({ from: from ?? '', to: to ?? '', match: '{job="<a>"}' });
  const asked = (await bench.get(`/actions/backfill?${query}`)).text;
  expect(asked).toContain('at least <strong>1,234 samples</strong>');
  expect(asked).toContain('about 1m 5s (as the last runs)');
  expect(asked).toContain('{job=&quot;&lt;a&gt;&quot;}');
  expect(asked).toContain(`name="from" value="${from}"`);
  expect(await jobs(bench)).toEqual([]);
  const fields = { from: from ?? '', to: to ?? '', match: '{job="<a>"}' };
  const sent = await send(bench, '/api/backfills', fields);
  expect([sent.status, sent.headers.get('location')]).toEqual([303, '/actions?done=backfill']);
  expect(await jobs(bench)).toMatchObject([{ name: 'backfill', data: { action: 'start', who } }]);
  for (const bad of ['from=yesterday&to=1h', 'from=1h&to=2h', 'from=72h&to=1h&match=%7Bjob%3D']) {
    expect([bad, (await bench.get(`/actions/backfill?${bad}`)).status]).toEqual([bad, 400]);
  }
  expect(dryRuns).toBe(1);
});

test('a pin, its end, and an accepted database are confirmed and asked for', async () => {
  const bench = await startBench();
  const asked = (await bench.get('/actions/pin?site=dr&for=2h')).text;
  expect(asked).toContain('Pin to dr');
  expect((await bench.get('/actions/pin?site=dr&for=8d')).status).toBe(400);
  expect((await bench.get('/actions/unpin')).status).toBe(409);
  expect((await bench.get('/actions/accept?site=both')).status).toBe(400);
  expect((await bench.get('/actions/accept?site=dr')).text).toContain('there is no need for it');
  expect((await post(bench, '/api/accept', { site: 'both' })).status).toBe(400);
  expect((await post(bench, '/api/accept', { site: 'dr' })).status).toBe(202);
  expect(await jobs(bench)).toEqual([{ name: 'accept', data: { site: 'dr' } }]);
  for (const name of ['reconcile', 'cancel-reconcile', 'pause-backfill', 'cancel-backfill']) {
    const { status } = await bench.get(`/actions/${name}`);
    expect([name, status >= 400]).toEqual([name, true]);
  }
  for (const name of ['check', 'resume']) {
    expect((await bench.get(`/actions/${name}`)).text).toContain('<form method="post"');
  }
});

describe('the page of a run', () => {
  test('shows plan, cause, chunks by state, chart, log and what remains', async () => {
    const bench = await startBench();
    await bench.store.saveStatus(readyStatus());
    const { state } = readyStatus();
    const run = {
      ...openRun('run-1'),
      cause: { checkId: 'repeat:check:1', reason: 'operator', who: '<anna>' },
    } as const;
    const [window] = run.windows;
    const mark = state.marks['dr-to-primary'];
    if (!mark || !window) throw new Error('a ready status has marks');
    await bench.store.saveState({
      ...state,
      marks: { ...state.marks, 'dr-to-primary': { ...mark, unproven: [window] } },
    });
    await bench.store.saveRun(run);
    await failChunks(bench);
    const done = { atMs: Date.now(), planned: 3_000, samples: 2_900, bytes: 2_048 };
    await bench.store.countChunk('run-1', chunkId('run-1', 6), done);
    await bench.store.addEvent({
      atMs: Date.now(),
      kind: 'x',
      severity: 'warn',
      text: 'Repairs <stopped>',
    });
    await bench.store.addEvent({
      atMs: Date.now(),
      kind: 'x',
      severity: 'warn',
      text: 'Run run-9 cancelled',
    });
    const { text } = await bench.get('/runs/run-1');
    for (const words of [
      'asked for by <strong>&lt;anna&gt;</strong>',
      'href="/queues/queue/checks/repeat%3Acheck%3A1"',
      '18,000 samples of up to 1,200 series',
      '2 failed',
      '1 done',
      `href="/queues/queue/repairs/${chunkId('run-1', 1)}"`,
      'dr answered 503: &lt;busy&gt;',
      '2,900 samples, 2.0 KiB',
      'role="img" aria-label="3,000 of 18,000 samples done after',
      'Repairs &lt;stopped&gt;',
      'not proven yet:',
      'Cancel this run',
      'Retry 2 failed chunks',
      'page.js',
    ]) {
      expect(text).toContain(words);
    }
    expect(text).not.toContain(chunkId('run-2', 1));
    expect(text).not.toContain('run-9');
    expect((await bench.get('/runs')).text).toContain('href="/runs/run-1"');
  });

  test('of one that has ended needs no chunk any more; lists are bounded; what is unknown is said', async () => {
    const bench = await startBench();
    await bench.store.saveRun({
      ...openRun('run-1'),
      state: 'settled',
      settledMs: Date.now() - 1_000,
      samplesCopied: 17_000,
      bytesCopied: 1_000,
    });
    const ended = (await bench.get('/runs/run-1')).text;
    expect(ended).toContain('settled: 17,000 samples copied in 1m 29s');
    expect(ended).toContain('does not remember them any more');
    expect(ended).not.toContain('Cancel this run');
    expect(ended).not.toContain('page.js');
    await bench.store.saveRun({ ...openRun('big'), chunks: 5_000 });
    const repairs = openQueue('repairs', { url: bench.redis.url });
    onTestFinished(() => repairs.close());
    const data = chunkOrder('big');
    await repairs.addBulk(
      Array.from({ length: 5_000 }, (_, at) => {
        return { name: 'repair-chunk', data, opts: { jobId: chunkId('big', at + 1) } };
      }),
    );
    const big = (await bench.get('/runs/big')).text;
    expect(big).toContain('5,000 waiting');
    expect(big).toContain('and 4,990 more');
    expect(big.length).toBeLessThan(100_000);
    expect((await bench.get('/runs/none')).status).toBe(404);
    for (let at = 0; at < 60; at++) await bench.store.saveRun(openRun(`r-${at}`));
    expect((await bench.get('/runs')).text).toContain('page 1 of 2');
    expect((await bench.get('/runs?page=99')).text).toContain('page 2 of 2');
  });
});

test('viewers see how things stand, and no way to act', async () => {
  const { redis, store } = await startBench();
  await store.saveState(withStuck(gap));
  await store.saveRun(openRun('run-1'));
  const context = openContext(configFor(redis.url), silent, noForecasts);
  onTestFinished(() => closeContext(context));
  const bodyOf = async (handler: Handler, name: string, role: 'viewer' | 'operator') => {
    const { status, body } = await handler({
      params: { id: 'run-1', name },
      query: new URLSearchParams(),
      person: { name: 'vera', role },
      forPeople: true,
      asksForNews: false,
      body: undefined,
    });
    return { status, text: String(body) };
  };
  const forms = /<form|<button|class="button"|\/actions\/\w/;
  for (const handler of [actionsPage(context), runPage(context)]) {
    expect((await bodyOf(handler, '', 'operator')).text).toMatch(forms);
    expect((await bodyOf(handler, '', 'viewer')).text).not.toMatch(forms);
  }
  expect((await bodyOf(actionsPage(context), '', 'viewer')).text).toContain('vera, a viewer');
  expect((await bodyOf(confirmPage(context), 'pause', 'operator')).status).toBe(200);
  const refused = await bodyOf(confirmPage(context), 'pause', 'viewer');
  expect(refused.status).toBe(403);
  expect(refused.text).not.toContain('<form');
});
