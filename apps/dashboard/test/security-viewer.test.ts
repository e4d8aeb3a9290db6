import { AuditStore, connect } from '@vm-sync/queue';
import { until } from '@vm-sync/testkit';
import { expect, onTestFinished, test } from 'vitest';
import { startBench } from './setup.ts';

const viewerToken = 'looks-only-0123456789';
const authorization = `Bearer ${viewerToken}`;

test('a write that a viewer tries is in the audit log, and who goes on trying does not fill it', async () => {
  const login = { user: 'anna', password: 'three in the morning' };
  const { get, redis } = await startBench({ login, settings: { viewerToken } });
  const tried = [
    ['POST', `/api/pause?${'x'.repeat(3_000)}`, 'api'],
    ['PUT', '/queues/api/queues/repairs/retry/failed', 'board'],
    ['DELETE', `/queues/${'x'.repeat(3_000)}`, 'board'],
  ] as const;
  for (const [method, path] of tried) {
    expect((await get(path, { method, headers: { authorization } })).status).toBe(403);
  }
  for (let time = 0; time < 20; time++) {
    await get(`/api/pause/${time}`, { method: 'POST', headers: { authorization } });
  }
  // Whoever has no login at all leaves none.
  expect((await get('/api/pause', { method: 'POST' })).status).toBe(401);
  const client = connect(redis.url, 'brief');
  onTestFinished(() => client.disconnect());
  const audit = new AuditStore(client);
  await until('the last line', async () => (await audit.list(10)).length === tried.length);
  const lines = await audit.list(100);
  expect(lines.map(({ who, action, by }) => [who, action, by])).toEqual(
    tried.map(([method, , by]) => ['bearer token (viewer)', method.toLowerCase(), by]).reverse(),
  );
  for (const { what, result } of lines) {
    expect(what.length).toBeLessThanOrEqual(200);
    expect(result).toMatch(/^viewers look and change nothing/);
  }
});
