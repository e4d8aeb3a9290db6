import { freePort, until } from '@vm-sync/testkit';
import { expect, onTestFinished, test } from 'vitest';
import { startDashboard } from '../src/index.ts';
import { ask, configFor, noForecasts, readyStatus, silent, startBench } from './setup.ts';

const PAGES = ['/', '/readyz', '/api/status', '/parity/dr', '/queues', '/queues/api/queues'];

test('Redis away: sentences instead of pages, and all is well when it is back', async () => {
  const { get, redis, store } = await startBench();
  expect((await get('/')).status).toBe(200);
  await redis.kill();
  for (const path of PAGES) {
    const { status, text } = await get(path);
    expect([path, status]).toEqual([path, 503]);
    expect(text).toContain('Redis');
  }
  expect((await get('/healthz')).text).toBe('ok\n');
  const page = await get('/', { headers: { accept: 'text/html' } });
  expect(page.text).toContain('<main>');
  expect(page.text).toContain('/assets/page.js');
  await redis.start();
  await until('the dashboard to be ready', async () => (await get('/readyz')).status === 200);
  await until('a status', async () => {
    await store.saveStatus(readyStatus());
    return true;
  });
  expect((await get('/parity/dr')).status).toBe(200);
  expect((await get('/queues/api/queues')).status).toBe(200);
}, 60_000);

test('Redis frozen: an answer within seconds, and all is well when it thaws', async () => {
  const { get, redis } = await startBench();
  expect((await get('/readyz')).status).toBe(200);
  redis.pause();
  try {
    expect((await get('/')).status).toBe(503);
  } finally {
    redis.resume();
  }
  await until('the dashboard to be ready', async () => (await get('/')).status === 200);
}, 60_000);

test('starts while Redis is away, and never prints its password', async () => {
  const port = await freePort();
  const config = configFor(`redis://:hunter2@127.0.0.1:${port}`);
  const said: unknown[] = [];
  const log = { ...silent, warn: (...line: unknown[]) => said.push(line) };
  const dashboard = await startDashboard(config, log as unknown as typeof silent, noForecasts);
  onTestFinished(() => dashboard.close());
  expect((await ask(`${dashboard.url}/healthz`)).status).toBe(200);
  expect((await ask(`${dashboard.url}/readyz`)).status).toBe(503);
  await until('more attempts', async () => (await ask(`${dashboard.url}/readyz`)).status === 503);
  expect(said.length).toBeGreaterThan(0);
  expect(said.length).toBeLessThan(4);
  expect(JSON.stringify(said)).not.toContain('hunter2');
});

test('a taken port is an error that names DASHBOARD_PORT', async () => {
  const { dashboard, redis } = await startBench();
  const config = configFor(redis.url);
  const taken = { ...config.dashboard, port: Number(new URL(dashboard.url).port) };
  await expect(
    startDashboard({ ...config, dashboard: taken }, silent, noForecasts),
  ).rejects.toThrow(/port is taken by another program; set DASHBOARD_PORT/);
});

test('closes while a browser keeps its connection open', async () => {
  const { dashboard, get } = await startBench();
  await get('/');
  const startedMs = Date.now();
  await dashboard.close();
  expect(Date.now() - startedMs).toBeLessThan(3_000);
});
