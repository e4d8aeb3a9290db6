import { makeWindow, type ReconcileForecast, type SyncState, VmSyncError } from '@vm-sync/core';
import { openQueue, ReconcileOrder } from '@vm-sync/queue';
import { expect, test } from 'vitest';
import { type Bench, readyStatus, startBench } from './setup.ts';

const post = (bench: Bench, path: string, body: object = {}) =>
  bench.get(path, {
    method: 'POST',
    body: JSON.stringify(body),
    headers: { 'content-type': 'application/json' },
  });

/** dr is active; primary has seven samples that dr lacks. */
function stateWithSurplus(): SyncState {
  const { state } = readyStatus();
  const mark = state.marks['primary-to-dr'];
  if (!mark) throw new Error('a ready status has marks');
  const window = makeWindow(mark.throughMs - 600_000, mark.throughMs);
  const counted = [{ windows: [window], series: 2, samples: 7, countedMs: mark.throughMs }];
  return {
    ...state,
    marks: { ...state.marks, 'primary-to-dr': { ...mark, unproven: [window] } },
    surplus: { ...state.surplus, 'primary-to-dr': { counted, told: true } },
    conflicts: {
      buckets: [{ window, series: 1, samples: 3, unread: 0 }],
      example: { series: '{a="<b>"}', atMs: window.toMs, values: { primary: '1', dr: '+Inf' } },
      told: true,
    },
  };
}

async function orders({ redis }: Bench): Promise<ReconcileOrder[]> {
  const checks = openQueue('checks', { url: redis.url });
  try {
    return (await checks.getJobs()).map(({ data }) => ReconcileOrder.parse(data));
  } finally {
    await checks.close();
  }
}

test('a reconcile is asked for, cancelled, and refused where there is nothing to do', async () => {
  const bench = await startBench();
  expect((await post(bench, '/api/reconcile')).status).toBe(409);
  const state = stateWithSurplus();
  await bench.store.saveState(state);
  expect((await post(bench, '/api/reconcile', { dryrun: true })).status).toBe(400);
  expect((await post(bench, '/api/reconcile/cancel')).status).toBe(409);
  expect(await orders(bench)).toEqual([]);
  const asked = await post(bench, '/api/reconcile');
  expect(asked.status).toBe(202);
  const { id } = JSON.parse(asked.text);
  const who = 'local (no login)';
  expect(await orders(bench)).toEqual([{ action: 'start', id, who }]);
  const open = { direction: 'primary-to-dr', requestedMs: 1, state: 'open', windows: [] } as const;
  await bench.store.saveState({
    ...state,
    reconcile: { id, ...open, samplesRecovered: 0, endedMs: null },
  });
  expect((await post(bench, '/api/reconcile')).text).toContain('under way already');
  expect((await post(bench, '/api/reconcile/cancel')).status).toBe(202);
  expect(await orders(bench)).toContainEqual({ action: 'cancel', who });
});

test('it needs the login, and comes from this site', async () => {
  const bench = await startBench({ login: { user: 'operator', password: 'secret' } });
  expect((await post(bench, '/api/reconcile')).status).toBe(401);
  const open = await startBench();
  const headers = { origin: 'http://evil.example' };
  expect((await open.get('/api/reconcile', { method: 'POST', headers })).status).toBe(403);
});

test('a dry run gives the forecast, or says why there is none', async () => {
  const forecast: ReconcileForecast = {
    direction: { source: 'primary', destination: 'dr' },
    windows: [],
    series: 2,
    samples: 7,
    chunks: 1,
    bytes: 140,
    bytesBasis: 'b',
    takesMs: null,
    timeBasis: 't',
  };
  let fails = false;
  const bench = await startBench({
    forecastReconcile: async () => {
      if (fails) throw new VmSyncError('retryable', 'dr does not answer');
      return forecast;
    },
  });
  const dry = await post(bench, '/api/reconcile', { dryRun: true });
  expect([dry.status, JSON.parse(dry.text)]).toEqual([200, forecast]);
  fails = true;
  const failed = await post(bench, '/api/reconcile', { dryRun: true });
  expect([failed.status, JSON.parse(failed.text).error]).toEqual([503, 'dr does not answer']);
  expect(await orders(bench)).toEqual([]);
});

test('what only the passive site has and different values are shown beside READY', async () => {
  const bench = await startBench();
  await bench.store.saveStatus({ ...readyStatus(), state: stateWithSurplus() });
  const said = 'the passive site has 7 samples that the active one lacks (vm-sync reconcile)';
  const page = (await bench.get('/')).text;
  expect(page).toContain(`But ${said}.`);
  expect(page).toContain('On the passive site only');
  expect(page).toContain('{a=&quot;&lt;b&gt;&quot;}');
  const { readiness, surplus, conflicts } = JSON.parse((await bench.get('/api/status')).text);
  expect(readiness.ready).toBe(true);
  expect(surplus).toMatchObject({ samples: 7, sentence: said });
  expect(conflicts).toMatchObject({ samples: 3, series: 1 });
  const metrics = (await bench.get('/metrics')).text;
  expect(metrics).toContain('vmsync_surplus_samples 7');
  expect(metrics).toContain('vmsync_conflicting_samples 3');
});
