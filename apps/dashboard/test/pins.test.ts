import { EMPTY_STATE, setPin } from '@vm-sync/core';
import { openQueue, PinOrder } from '@vm-sync/queue';
import { expect, onTestFinished, test } from 'vitest';
import { readyStatus, startBench } from './setup.ts';

const json = { 'content-type': 'application/json' };
const login = { user: 'anna', password: 'three in the morning' };

test('a pin and its end are asked of the scheduler; what makes no sense is refused', async () => {
  const { get, redis } = await startBench();
  const checks = openQueue('checks', { url: redis.url });
  onTestFinished(() => checks.close());
  const pin = (body: object) =>
    get('/api/pin', { method: 'POST', headers: json, body: JSON.stringify(body) });
  for (const body of [
    {},
    { site: 'dr' },
    { site: 'dr', for: '2h', until: 'x' },
    { site: 'elsewhere', for: '2h' },
    { site: 'dr', for: '8d' },
    { site: 'dr', for: 'soon' },
  ]) {
    const { status, text } = await pin(body);
    expect([status, JSON.parse(text)]).toEqual([400, { error: expect.stringMatching(/expected/) }]);
  }
  expect(await checks.getJobs()).toEqual([]);

  const asked = await pin({ site: 'dr', for: '2h' });
  expect(asked.status).toBe(202);
  expect(JSON.parse(asked.text)).toMatchObject({ pin: { site: 'dr' } });
  const form = { method: 'POST', body: new URLSearchParams({ site: 'primary', for: '90' }) };
  expect((await get('/api/pin', form)).status).toBe(202);
  expect((await get('/api/unpin', { method: 'POST' })).status).toBe(202);
  const jobs = await checks.getJobs(['waiting', 'prioritized'], 0, -1, true);
  expect(jobs.map(({ name }) => name)).toEqual(['pin', 'pin', 'pin']);
  const orders = jobs.map(({ data }) => PinOrder.parse(data));
  expect(orders).toMatchObject([
    { action: 'pin', pin: { site: 'dr' } },
    { action: 'pin', pin: { site: 'primary' } },
    { action: 'unpin' },
  ]);
});

test('nobody pins without the login, nor from another page', async () => {
  const { get } = await startBench({ login });
  for (const path of ['/api/pin', '/api/unpin']) {
    expect((await get(path, { method: 'POST' })).status).toBe(401);
    const authorization = `Basic ${Buffer.from(`${login.user}:${login.password}`).toString('base64')}`;
    const foreign = { authorization, origin: 'https://elsewhere.example' };
    expect((await get(path, { method: 'POST', headers: foreign })).status).toBe(403);
  }
});

test('the page and the API show each witness, whether writing is allowed, and a pin while it lasts', async () => {
  const { get, store } = await startBench();
  const status = readyStatus();
  const active = {
    site: 'dr',
    reason: status.activeReason,
    witnesses: [
      { name: 'address', says: 'dr', text: status.activeReason },
      { name: 'lease', says: 'primary', text: 'TXT of x: owner=primary' },
      { name: 'freshness', says: null, text: 'newest sample: <b>' },
    ],
    mayWrite: false,
    whyNoWriting: 'nothing is written because the lease contradicts the address',
    epoch: 7,
  } as const;
  await store.saveStatus({ ...status, active: { ...active, witnesses: [...active.witnesses] } });
  const page = (await get('/')).text;
  for (const words of [
    'Witness: address',
    'TXT of x: owner=primary',
    'takes no side',
    'newest sample: &lt;b&gt;',
    'nothing is written because the lease contradicts the address',
  ]) {
    expect(page).toContain(words);
  }
  expect(page).not.toContain('pinned by hand');
  expect(JSON.parse((await get('/api/status')).text)).toMatchObject({ active, pin: null });

  const pin = { site: 'primary', atMs: Date.now(), untilMs: Date.now() + 60_000 } as const;
  await store.saveState(setPin(EMPTY_STATE, pin).state);
  expect((await get('/')).text).toContain('pinned by hand to the primary site until');
  expect(JSON.parse((await get('/api/status')).text)).toMatchObject({ pin });
  await store.saveState(setPin(EMPTY_STATE, { ...pin, untilMs: Date.now() - 1 }).state);
  expect((await get('/')).text).not.toContain('pinned by hand');
  expect(JSON.parse((await get('/api/status')).text)).toMatchObject({ pin: null });
});
