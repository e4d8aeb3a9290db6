import { type BackfillForecast, EMPTY_STATE, startBackfill, VmSyncError } from '@vm-sync/core';
import { BackfillOrder, openQueue, type Store } from '@vm-sync/queue';
import { describe, expect, test } from 'vitest';
import { type Bench, openRun, readyStatus, startBench } from './setup.ts';

const login = { user: 'operator', password: 'secret' };
const hourMs = 3_600_000;
const nowMs = Date.now();
const toMs = Math.floor(nowMs / hourMs) * hourMs - hourMs;
const window = { fromMs: toMs - 71 * hourMs, toMs };
const range = { from: new Date(window.fromMs).toISOString(), to: new Date(toMs).toISOString() };
const known = { ...EMPTY_STATE, activeSite: 'dr' as const };

const post = (bench: Bench, path: string, body?: object | URLSearchParams) =>
  bench.get(path, {
    method: 'POST',
    ...(body instanceof URLSearchParams
      ? { body }
      : { body: JSON.stringify(body ?? {}), headers: { 'content-type': 'application/json' } }),
  });

async function orders({ redis }: Bench): Promise<BackfillOrder[]> {
  const checks = openQueue('checks', { url: redis.url });
  try {
    const jobs = await checks.getJobs();
    return jobs.map(({ name, data }) => {
      expect(name).toBe('backfill');
      return BackfillOrder.parse(data);
    });
  } finally {
    await checks.close();
  }
}

describe('asking for a backfill', () => {
  test('as JSON and as a form puts one order each', async () => {
    const bench = await startBench();
    await bench.store.saveState(known);
    const json = await post(bench, '/api/backfills', { ...range, match: ['up{job="a"}'] });
    expect(json.status).toBe(202);
    const asked = JSON.parse(json.text);
    expect(asked).toEqual({
      id: expect.any(String),
      window,
      match: ['{__name__="up",job="a"}'],
    });
    const form = await post(bench, '/api/backfills', new URLSearchParams(range));
    expect(form.status).toBe(202);
    expect((await orders(bench)).map((order) => order.action)).toEqual(['start', 'start']);
    expect(await orders(bench)).toContainEqual({
      action: 'start',
      who: 'local (no login)',
      ...asked,
    });
  });

  test.each<[string, object, number, RegExp]>([
    ['nothing', {}, 400, /expected from, to/],
    ['a misspelt field', { ...range, dryrun: true }, 400, /expected from, to/],
    ['a reversed range', { from: range.to, to: range.from }, 400, /^from: must be earlier/],
    ['an empty one', { from: range.to, to: range.to }, 400, /^from: .*empty/],
    ['the future', { ...range, to: '2999-01-01' }, 400, /^to: lies in the future/],
    ['what is in flight', { from: '2h', to: '0s' }, 400, /^to: samples younger than SETTLE/],
    ['no time', { from: 'yesterday', to: '1h' }, 400, /^from: expected a time such as/],
    ['no selector', { ...range, match: '{job=' }, 400, /^match: expected/],
    ['what no site keeps', { from: '60d', to: '50d' }, 400, /^to: the whole range is beyond/],
  ])('is refused with a sentence for %s', async (_, body, status, sentence) => {
    const bench = await startBench();
    await bench.store.saveState(known);
    await bench.store.saveStatus(keepingDays(30));
    const refused = await post(bench, '/api/backfills', body);
    expect(JSON.parse(refused.text).error).toMatch(sentence);
    expect(refused.status).toBe(status);
    expect(await orders(bench)).toEqual([]);
  });

  test('is refused as long as no direction is known', async () => {
    const bench = await startBench();
    const refused = await post(bench, '/api/backfills', range);
    expect(refused.status).toBe(409);
    expect(JSON.parse(refused.text).error).toMatch(/no direction is known yet/);
  });

  test('what is no JSON, or far too much, is refused', async () => {
    const bench = await startBench();
    const send = (body: string) =>
      bench.get('/api/backfills', {
        method: 'POST',
        body,
        headers: { 'content-type': 'application/json' },
      });
    expect((await send('{')).status).toBe(400);
    expect((await send(JSON.stringify({ from: 'x'.repeat(100_000) }))).status).toBe(413);
  });

  test('needs the login, and comes from this site', async () => {
    const bench = await startBench({ login });
    expect((await post(bench, '/api/backfills', range)).status).toBe(401);
    expect((await post(bench, '/api/backfills/b/cancel')).status).toBe(401);
    const open = await startBench();
    const foreign = await open.get('/api/backfills', {
      method: 'POST',
      body: new URLSearchParams(range),
      headers: { origin: 'http://evil.example' },
    });
    expect(foreign.status).toBe(403);
  });
});

describe('a dry run', () => {
  const forecast: BackfillForecast = {
    window,
    match: [],
    direction: { source: 'dr', destination: 'primary' },
    lacking: [window],
    series: 3,
    samples: 1_000,
    chunks: 1,
    atLeast: false,
    byCountsOnly: false,
    bytes: 20_000,
    bytesBasis: 'x',
    takesMs: null,
    timeBasis: 'y',
  };

  test('answers what would be copied, and orders nothing', async () => {
    const bench = await startBench({ forecast: async (asked) => ({ ...forecast, ...asked }) });
    const dry = await post(bench, '/api/backfills', { ...range, dryRun: true });
    expect(dry.status).toBe(200);
    expect(JSON.parse(dry.text)).toEqual(forecast);
    const form = new URLSearchParams({ ...range, dryRun: 'on' });
    expect((await post(bench, '/api/backfills', form)).status).toBe(200);
    expect(await orders(bench)).toEqual([]);
  });

  test('says why it cannot be told; one at a time', async () => {
    const { promise, reject } = Promise.withResolvers<never>();
    const { promise: asked, resolve: begun } = Promise.withResolvers<void>();
    const bench = await startBench({
      forecast: () => {
        begun();
        return promise;
      },
    });
    const dryRun = () => post(bench, '/api/backfills', { ...range, dryRun: true });
    const first = dryRun();
    await asked;
    const second = await dryRun();
    expect([second.status, second.text]).toEqual([409, expect.stringMatching(/under way/)]);
    reject(new VmSyncError('retryable', 'unknown: dr is down'));
    const told = await first;
    expect([told.status, JSON.parse(told.text)]).toEqual([503, { error: 'unknown: dr is down' }]);
    expect((await dryRun()).status).toBe(503);
  });
});

/** One backfill with a run that is a quarter done. */
async function underWay(store: Store): Promise<void> {
  const asked = { id: 'b1', window, match: ['{job="<a>"}'], requestedMs: nowMs - 100_000 };
  await store.saveState(startBackfill(known, asked).state);
  await store.saveStatus(readyStatus());
  await store.saveRun({ ...openRun('run-1', nowMs), chunks: 4, backfillId: 'b1' });
  const chunk = { planned: 4_500, samples: 9_000, bytes: 90_000 };
  await store.countChunk('run-1', 'chunk-1', { atMs: Date.now(), ...chunk });
}

describe('a backfill that is under way', () => {
  test('is listed with its progress, also in status and runs', async () => {
    const { get, store } = await startBench();
    await underWay(store);
    const json = async (path: string) => JSON.parse((await get(path)).text);
    const progress = {
      chunksPlanned: 4,
      chunksDone: 1,
      samplesPlanned: 18_000,
      samplesDone: 4_500,
      samplesCopied: 9_000,
      share: 0.25,
      leftMs: expect.any(Number),
      basis: expect.stringMatching(/^14 k samples left at \d+\/s over the last 1m$/),
    };
    expect((await json('/api/backfills')).backfills).toMatchObject([
      { backfill: { id: 'b1', state: 'open' }, share: { proven: 0 }, waits: null, progress },
    ]);
    expect((await json('/api/runs')).runs).toMatchObject([{ id: 'run-1', progress }]);
    expect(await json('/api/runs/run-1')).toMatchObject({ id: 'run-1', progress });
    const status = await json('/api/status');
    expect(status.runs).toMatchObject([{ run: { id: 'run-1' }, progress }]);
    expect(status.backfills).toMatchObject([{ backfill: { id: 'b1' } }]);
    await store.saveRun({ ...openRun('run-1'), state: 'settled', settledMs: nowMs });
    expect(await json('/api/runs/run-1')).toMatchObject({ progress: null });
  });

  test('is on the status page, with what it waits for', async () => {
    const { get, store } = await startBench();
    expect((await get('/')).text).not.toContain('Backfills');
    await underWay(store);
    const { text } = await get('/');
    expect(text).toContain('<h2>Backfills</h2>');
    expect(text).toContain('1 of 4 chunks, 25 %');
    expect(text).toContain('{job=&quot;&lt;a&gt;&quot;}');
    expect(text).toMatch(/14 k samples left at \d+\/s over the last 1m/);
    const state = await store.loadState();
    await store.saveState({ ...known, activeSite: 'primary', backfills: state?.backfills ?? [] });
    expect((await get('/')).text).toContain('waits until dr is the active site');
  });

  test('is paused, resumed and cancelled by id', async () => {
    const bench = await startBench();
    await underWay(bench.store);
    for (const change of ['pause', 'resume', 'cancel']) {
      const { status, text } = await post(bench, `/api/backfills/b1/${change}`);
      expect([status, JSON.parse(text)]).toEqual([202, { id: 'b1', change }]);
    }
    const changes = (await orders(bench)).map(({ action, id }) => `${action} ${id}`);
    expect(changes.sort()).toEqual(['cancel b1', 'pause b1', 'resume b1']);
    expect((await post(bench, '/api/backfills/b2/pause')).status).toBe(404);
    expect((await post(bench, '/api/backfills/b1/stop')).status).toBe(404);
    const state = await bench.store.loadState();
    const backfills = (state?.backfills ?? []).map((one) => ({ ...one, state: 'done' as const }));
    await bench.store.saveState({ ...known, backfills });
    const late = await post(bench, '/api/backfills/b1/resume');
    expect([late.status, late.text]).toEqual([409, expect.stringMatching(/b1 is done/)]);
    expect(await orders(bench)).toHaveLength(3);
  });
});

function keepingDays(days: number) {
  const status = readyStatus();
  const view = (site: 'primary' | 'dr') => ({
    healthy: true as const,
    observation: { site, url: `http://${site}`, retentionMs: days * 24 * hourMs },
  });
  return { ...status, sites: { primary: view('primary'), dr: view('dr') } };
}
