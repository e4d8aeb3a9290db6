import { openQueue, readiness, type Status } from '@vm-sync/queue';
import { describe, expect, onTestFinished, test } from 'vitest';
import { gapsStatus, openRun, readyStatus, startBench, unknownStatus } from './setup.ts';

test('status, runs and a run as JSON; what is unknown is a JSON 404', async () => {
  const { get, store } = await startBench();
  const json = async (path: string) => JSON.parse((await get(path)).text);
  expect(await json('/api/status')).toEqual({
    readiness: { ready: false, reasons: ['no check has been made yet'], stale: true },
    pin: null,
    pace: {
      copies: 1,
      bytesPerS: 1_000_000,
      stopped: false,
      reason: expect.stringContaining('is the scheduler running?'),
    },
    duty: null,
    runs: [],
    backfills: [],
  });
  await store.saveStatus(readyStatus());
  await store.saveRun(openRun('run-1'));
  expect(await json('/api/status')).toMatchObject({
    outcome: 'clean',
    state: { activeSite: 'dr' },
    readiness: { ready: true, reasons: [], stale: false },
  });
  expect((await json('/api/runs')).runs).toHaveLength(1);
  expect(await json('/api/runs/run-1')).toMatchObject({ id: 'run-1', state: 'open' });
  for (const path of ['/api/runs/none', '/api/none', '/api/backfills/none']) {
    const { status, text } = await get(path);
    expect([path, status]).toEqual([path, 404]);
    expect(JSON.parse(text)).toEqual({ error: expect.any(String) });
  }
  const { status, text } = await get('/api/runs/%E0%A4%A');
  expect(status).toBe(400);
  expect(JSON.parse(text)).toEqual({ error: expect.any(String) });
});

test('the gap map and the last checks as JSON, also before the first check', async () => {
  const { get, gapMaps, checkHistory } = await startBench();
  const json = async (path: string) => JSON.parse((await get(path)).text);
  expect(await json('/api/gap-map')).toEqual({
    before: null,
    now: null,
    checkedMs: null,
    sinceMs: null,
  });
  expect(await json('/api/checks')).toEqual({ checks: [] });
  const maps = { before: null, now: null, checkedMs: 1_000, sinceMs: null };
  const check = { atMs: 1_000, outcome: 'clean', samples: 12, missing: 0, tookMs: 5 } as const;
  await gapMaps.save(maps);
  await checkHistory.add(check);
  expect(await json('/api/gap-map')).toEqual(maps);
  expect(await json('/api/checks')).toEqual({ checks: [check] });
});

test('asks for one check, however often it is asked', async () => {
  const { get, redis } = await startBench();
  const checks = openQueue('checks', { url: redis.url });
  onTestFinished(() => checks.close());
  const first = await get('/api/checks', { method: 'POST' });
  const second = await get('/api/checks', { method: 'POST' });
  expect(first.status).toBe(202);
  expect(second.text).toBe(first.text);
  const jobs = await checks.getJobs(['waiting', 'prioritized']);
  expect(jobs.map(({ name, data }) => ({ name, data }))).toEqual([
    { name: 'check-gaps', data: { cause: 'operator', who: 'local (no login)' } },
  ]);
});

test('pauses and resumes the repairs', async () => {
  const { get, redis } = await startBench();
  const repairs = openQueue('repairs', { url: redis.url });
  onTestFinished(() => repairs.close());
  expect((await get('/api/pause', { method: 'POST' })).status).toBe(200);
  expect(await repairs.isPaused()).toBe(true);
  expect((await get('/api/resume', { method: 'POST' })).status).toBe(200);
  expect(await repairs.isPaused()).toBe(false);
});

describe('parity', () => {
  test('200 only for what is proven, else 503 with the reason', async () => {
    const { get, store } = await startBench();
    expect((await get('/parity/primary')).text).toContain('no check has been made yet');
    await store.saveStatus(readyStatus());
    expect((await get('/parity/primary')).status).toBe(200);
    expect((await get('/parity/dr')).status).toBe(200);
    await store.saveStatus(gapsStatus(['primary lacks 3 samples in 1 gaps']));
    const answer = await get('/parity/primary');
    expect(answer.status).toBe(503);
    expect(answer.text).toContain('primary lacks 3 samples');
    expect(answer.headers.get('content-type')).toContain('text/plain');
    for (const path of ['/parity', '/parity/', '/parity/both', '/parity/primary/x']) {
      expect([path, (await get(path)).status]).toEqual([path, 404]);
    }
  });
});

describe('readiness', () => {
  const nowMs = Date.parse('2026-11-20T12:00:00Z');
  const judge = (status: Status | undefined, site?: 'primary' | 'dr') =>
    readiness(status, site, nowMs);

  test('holds while the status is valid, to the millisecond', () => {
    const status = readyStatus(nowMs);
    expect(judge(status)).toEqual({ ready: true, known: true, reasons: [] });
    const atTheEnd = { ...status, validUntilMs: nowMs };
    expect(judge(atTheEnd).ready).toBe(true);
    expect(judge({ ...status, validUntilMs: nowMs - 1 })).toEqual({
      ready: false,
      known: false,
      reasons: ['last check is 40 seconds old'],
    });
  });

  test('is unknown without a status, after an unknown check, and for a status from the future', () => {
    expect(judge(undefined)).toMatchObject({ ready: false, known: false });
    expect(judge(unknownStatus('dr is down', nowMs), 'dr')).toEqual({
      ready: false,
      known: false,
      reasons: ['dr is down'],
    });
    const early = readyStatus(nowMs + 600_000);
    expect(judge(early)).toMatchObject({ ready: false, known: false });
    expect(judge(early).reasons[0]).toContain('in the future');
  });

  test('the active site may lack proof while the failback is ready', () => {
    const status = readyStatus(nowMs);
    const into = status.state.marks['primary-to-dr'];
    const unproven = [{ fromMs: nowMs - 7_200_000, toMs: nowMs - 3_600_000 }];
    const marks = { ...status.state.marks, 'primary-to-dr': into && { ...into, unproven } };
    const lacking = { ...status, state: { ...status.state, marks } };
    expect(judge(lacking, 'primary').ready).toBe(true);
    expect(judge(lacking, 'dr')).toMatchObject({ ready: false, known: true });
    expect(judge(lacking, 'dr').reasons[0]).toContain(
      'not proven that dr holds everything that primary has: 2026-11-20',
    );
  });

  test('never ready without a reason for people to read', () => {
    const status = gapsStatus([], nowMs);
    expect(judge(status)).toMatchObject({ ready: false, known: true });
    expect(judge(status).reasons).toHaveLength(1);
  });
});
