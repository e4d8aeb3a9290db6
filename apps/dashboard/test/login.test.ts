import { readFileSync } from 'node:fs';
import { request } from 'node:https';
import { connect } from '@vm-sync/queue';
import { hashPassword } from '@vm-sync/runtime';
import { selfSignedCertificate, until } from '@vm-sync/testkit';
import { expect, onTestFinished, test, vi } from 'vitest';
import { startDashboard } from '../src/index.ts';
import { ask, type Bench, configFor, noForecasts, silent, startBench, stopClock } from './setup.ts';

const login = { user: 'anna', password: 'three in the morning' };
const viewer = { user: 'guest', password: 'only looking' };
const token = 'operator-token-0123456789';
const viewerToken = 'viewer-token-0123456789';

const PAGE = { accept: 'text/html,*/*' };
const BROWSER = { 'user-agent': 'Mozilla/5.0 (X11; Linux x86_64) Chrome/140.0' };
const basic = (user: string, password: string) => ({
  authorization: `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`,
});
const bearer = (given: string) => ({ authorization: `Bearer ${given}` });

type Headers = Record<string, string>;
type Asker = Pick<Bench, 'get'>;

const post = ({ get }: Asker, path: string, form: Record<string, string>, headers: Headers = {}) =>
  get(path, { method: 'POST', headers: { ...PAGE, ...headers }, body: new URLSearchParams(form) });

const setCookieOf = ({ headers }: Awaited<ReturnType<typeof ask>>): string =>
  headers.get('set-cookie') ?? '';

/** Logs in; answers with the header that carries the session. */
async function sessionOf(bench: Asker, who: { user: string; password: string }) {
  const answer = await post(bench, '/login', who);
  expect(answer.status).toBe(303);
  return { cookie: setCookieOf(answer).split(';')[0] ?? '' };
}

test('from the page to the login, and back; then out again', async () => {
  const bench = await startBench({ login });
  const path = '/queues/queue/repairs?status=failed';
  const first = await bench.get(path, { headers: PAGE });
  expect([first.status, first.headers.get('location')]).toEqual([
    303,
    `/login?next=${encodeURIComponent(path)}`,
  ]);
  const page = await bench.get(first.headers.get('location') ?? '');
  expect(page.status).toBe(200);
  expect(page.headers.get('cache-control')).toBe('no-store');
  expect(page.text).toContain(`value="${path}"`);
  expect(page.text).not.toContain('<script');
  for (const asset of ['page.css', 'login.css', 'icon.svg']) {
    expect((await bench.get(`/assets/${asset}`)).status).toBe(200);
  }

  const wrong = await post(bench, '/login', { user: '<anna>', password: 'no', next: path });
  expect(wrong.status).toBe(401);
  expect(wrong.headers.get('www-authenticate')).toBeNull();
  expect(setCookieOf(wrong)).toBe('');
  expect(wrong.text).toContain('Wrong user or password.');
  expect(wrong.text).toContain('value="&lt;anna&gt;"');

  const right = await post(bench, '/login', { ...login, next: path });
  expect([right.status, right.headers.get('location')]).toEqual([303, path]);
  expect(setCookieOf(right)).toMatch(
    /^vmsync-dr=[\w-]{43}; Max-Age=604800; Path=\/; Expires=[^;]+; HttpOnly; SameSite=Strict$/,
  );
  const session = { cookie: setCookieOf(right).split(';')[0] ?? '' };
  const status = await bench.get('/', { headers: { ...PAGE, ...session } });
  expect(status.status).toBe(200);
  expect(status.text).toContain('anna (operator)');
  expect(
    (await bench.get('/login?next=/metrics', { headers: session })).headers.get('location'),
  ).toBe('/metrics');
  expect((await bench.get('/api/checks', { method: 'POST', headers: session })).status).toBe(202);

  const out = await post(bench, '/logout', {}, session);
  expect([out.status, out.headers.get('location')]).toEqual([303, '/login']);
  expect(setCookieOf(out)).toMatch(/^vmsync-dr=; Path=\/; Expires=Thu, 01 Jan 1970/);
  expect((await bench.get('/api/status', { headers: session })).status).toBe(401);
});

test('a session outlives a restart, but neither a new login, nor a changed password, nor a vanished user', async () => {
  const bench = await startBench({ login, settings: { viewer } });
  const before = await sessionOf(bench, login);
  const guest = await sessionOf(bench, viewer);
  const renewed = await post(bench, '/login', login, before);
  const session = { cookie: setCookieOf(renewed).split(';')[0] ?? '' };
  expect(session).not.toEqual(before);
  expect((await bench.get('/api/status', { headers: before })).status).toBe(401);

  const restarted = await another(bench, configFor(bench.redis.url, login, { viewer }));
  expect(await restarted(session)).toBe(200);
  expect(await restarted(guest)).toBe(200);
  const changed = { ...login, password: 'four in the morning' };
  const mended = await another(bench, configFor(bench.redis.url, changed));
  expect(await mended(session)).toBe(401);
  expect(await mended(guest)).toBe(401);
  // Ended, not only refused.
  expect(await restarted(session)).toBe(401);
});

/** A further dashboard on the same Redis; asks it with these headers. */
async function another({ redis }: Bench, config: ReturnType<typeof configFor>) {
  expect(config.redisUrl).toBe(redis.url);
  const dashboard = await startDashboard(config, silent, noForecasts);
  onTestFinished(() => dashboard.close());
  return async (headers: Headers) => (await ask(`${dashboard.url}/api/status`, { headers })).status;
}

test('Redis holds neither the token of a session nor a password, and ends what nobody uses', async () => {
  const bench = await startBench({ login });
  const session = await sessionOf(bench, login);
  const redis = connect(bench.redis.url, 'brief');
  onTestFinished(() => redis.disconnect());
  const [key = '', ...others] = await redis.keys('{vmsync}:session:*');
  expect(others).toEqual([]);
  const held = key + (await redis.get(key));
  expect(held).not.toContain(session.cookie.split('=')[1]);
  expect(held).not.toContain(login.password);
  expect(await redis.pttl(key)).toBeGreaterThan(11 * 3_600_000);
  await redis.pexpire(key, 60_000);
  expect((await bench.get('/api/status', { headers: session })).status).toBe(200);
  expect(await redis.pttl(key)).toBeGreaterThan(11 * 3_600_000);

  const stored = JSON.parse((await redis.get(key)) ?? '');
  const weekAgoMs = Date.now() - 7 * 86_400_000;
  await redis.set(key, JSON.stringify({ ...stored, createdMs: weekAgoMs }));
  expect((await bench.get('/api/status', { headers: session })).status).toBe(401);
  expect(await redis.exists(key)).toBe(0);
  await redis.set(key, 'no JSON');
  expect((await bench.get('/api/status', { headers: session })).status).toBe(401);
});

test('after five wrong passwords an address has to wait, also with the right one; others do not', async () => {
  const bench = await startBench({ login, settings: { trustedProxies: ['loopback'] } });
  stopClock();
  const from = (address: string) => ({ 'x-forwarded-for': address });
  for (let n = 0; n < 5; n += 1) {
    const guess = { user: n % 2 === 0 ? 'anna' : 'nobody', password: `guess ${n}` };
    expect((await post(bench, '/login', guess, from('192.0.2.1'))).status).toBe(401);
  }
  const refused = await post(bench, '/login', login, from('192.0.2.1'));
  expect(refused.status).toBe(429);
  expect(refused.headers.get('retry-after')).toBe('2');
  expect(refused.text).toContain('Too many wrong passwords from your address: try again in 2 s.');
  expect(setCookieOf(refused)).toBe('');
  const program = await bench.get('/api/status', {
    headers: { ...basic(login.user, login.password), ...from('192.0.2.1') },
  });
  expect(program.status).toBe(429);
  expect(JSON.parse(program.text)).toEqual({ error: expect.stringContaining('too many') });
  expect((await post(bench, '/login', login, from('192.0.2.2'))).status).toBe(303);
  vi.setSystemTime(Date.now() + 2_000);
  expect((await post(bench, '/login', login, from('192.0.2.1'))).status).toBe(303);
});

test('a proxy that is not trusted cannot speak for others', async () => {
  const bench = await startBench({ login });
  stopClock();
  const guesses = Array.from({ length: 8 }, (_, n) =>
    bench.get('/api/status', {
      headers: { ...basic('anna', `guess ${n}`), 'x-forwarded-for': `192.0.2.${n}` },
    }),
  );
  const statuses = (await Promise.all(guesses)).map(({ status }) => status);
  // Those that came at once did not slip through before the first was answered.
  expect(statuses.filter((status) => status === 401)).toHaveLength(5);
  expect(statuses.filter((status) => status === 429)).toHaveLength(3);
});

test('programs: user and password as they are or hashed, and tokens', async () => {
  const hashed = { user: 'anna', passwordHash: await hashPassword(login.password) };
  const bench = await startBench({ login: hashed, settings: { viewer, token, viewerToken } });
  const right = basic(login.user, login.password);
  const many = Array.from({ length: 20 }, () => bench.get('/api/status', { headers: right }));
  expect((await Promise.all(many)).map(({ status }) => status)).toEqual(Array(20).fill(200));
  for (const headers of [basic(viewer.user, viewer.password), bearer(token), bearer(viewerToken)]) {
    expect((await bench.get('/metrics', { headers })).status).toBe(200);
  }
  for (const headers of [bearer('x'), bearer(`${token}x`), basic('anna', hashed.passwordHash)]) {
    const refused = await bench.get('/api/status', { headers });
    expect(refused.status).toBe(401);
    expect(refused.headers.get('www-authenticate')).toContain('Basic');
    expect(JSON.parse(refused.text)).toEqual({ error: expect.stringContaining('log in first') });
  }
});

test('viewers look and change nothing', async () => {
  const bench = await startBench({ login, settings: { viewer, token, viewerToken } });
  const session = await sessionOf(bench, viewer);
  expect((await bench.get('/', { headers: session })).text).toContain('guest (viewer)');
  for (const headers of [session, basic(viewer.user, viewer.password), bearer(viewerToken)]) {
    for (const path of ['/', '/queues', '/queues/api/queues', '/api/runs', '/metrics']) {
      expect([path, (await bench.get(path, { headers })).status]).toEqual([path, 200]);
    }
    for (const [method, path] of [
      ['POST', '/api/checks'],
      ['POST', '/api/pause'],
      ['POST', '/api/backfills'],
      ['PUT', '/queues/api/queues/pause'],
      ['PUT', '/queues/api/queues/repairs/retry/failed'],
      ['PATCH', '/queues/api/queues/repairs/1/priority'],
      ['DELETE', '/nowhere'],
      ['OPTIONS', '/api/checks'],
    ] as const) {
      const refused = await bench.get(path, { method, headers });
      expect([method, path, refused.status]).toEqual([method, path, 403]);
      expect(refused.text).toContain('viewers look and change nothing');
    }
  }
  expect((await bench.get('/api/pause', { method: 'POST', headers: bearer(token) })).status).toBe(
    200,
  );
  expect((await post(bench, '/logout', {}, session)).status).toBe(303);
});

test('writes from another site are refused, with a session too; login and logout among them', async () => {
  const bench = await startBench({ login });
  const session = await sessionOf(bench, login);
  for (const from of [{ 'sec-fetch-site': 'cross-site' }, { origin: 'https://evil.example' }]) {
    for (const path of ['/login', '/logout', '/api/pause', '/queues/api/queues/pause']) {
      const refused = await post(bench, path, login, { ...session, ...from });
      expect([path, refused.status]).toEqual([path, 403]);
      expect(setCookieOf(refused)).toBe('');
    }
  }
  expect((await bench.get('/api/status', { headers: session })).status).toBe(200);
});

test('browsers are shown pages, never a window of their own', async () => {
  const bench = await startBench({ login });
  const api = await bench.get('/queues/api/queues', { headers: BROWSER });
  expect([api.status, api.headers.get('www-authenticate')]).toEqual([401, null]);
  const stale = { ...BROWSER, ...PAGE, 'sec-fetch-site': 'none', ...basic('anna', 'of old') };
  expect((await bench.get('/metrics', { headers: stale })).headers.get('location')).toBe(
    '/login?next=%2Fmetrics',
  );
  // With a link from elsewhere a browser keeps the cookie back, and sends it with the next step.
  const linked = { ...BROWSER, ...PAGE, 'sec-fetch-site': 'cross-site' };
  for (const headers of [linked, { ...BROWSER, ...PAGE }]) {
    const onwards = await bench.get('/runs/run-1', { headers });
    expect(onwards.status).toBe(200);
    expect(onwards.text).toContain('content="0; url=/login?next=%2Fruns%2Frun-1"');
  }
  const behindTls = await post(bench, '/login', login, { 'x-forwarded-proto': 'https' });
  expect(setCookieOf(behindTls)).toMatch(
    /^__Host-vmsync-dr=.*; HttpOnly; Secure; SameSite=Strict$/,
  );
});

test('a form that is none is refused', async () => {
  const bench = await startBench({ login });
  expect((await bench.get('/login', { method: 'POST' })).status).toBe(400);
  expect((await post(bench, '/login', { user: 'anna' })).status).toBe(400);
  expect((await post(bench, '/login', { ...login, user: 'a'.repeat(201) })).status).toBe(400);
  expect(
    (await post(bench, '/login', { ...login, next: '//evil.example' })).headers.get('location'),
  ).toBe('/');
});

test('which probes are open is a setting', async () => {
  const none = await startBench({ login, settings: { open: [], viewerToken } });
  for (const path of ['/healthz', '/readyz', '/parity/dr', '/metrics']) {
    expect([path, (await none.get(path)).status]).toEqual([path, 401]);
  }
  const headers = bearer(viewerToken);
  expect((await none.get('/healthz', { headers })).status).toBe(200);
  expect((await none.get('/parity/dr', { headers })).status).toBe(503);
  const some = await startBench({ login, settings: { open: ['metrics'] } });
  expect((await some.get('/metrics')).status).toBe(200);
  expect((await some.get('/healthz')).status).toBe(401);
});

test('Redis away: a session is not forgotten, and whoever needs none is served', async () => {
  const bench = await startBench({ login, settings: { viewerToken } });
  const session = await sessionOf(bench, login);
  await bench.redis.pause();
  try {
    const [page, scrape] = await Promise.all([
      bench.get('/', { headers: { ...PAGE, ...session } }),
      bench.get('/metrics', { headers: bearer(viewerToken) }),
    ]);
    expect(page.status).toBe(503);
    expect(page.text).toContain('Redis does not answer');
    expect(scrape.text).toContain('vmsync_redis_up 0');
  } finally {
    bench.redis.resume();
  }
  await until('the session', async () => {
    const { status } = await bench.get('/', { headers: session });
    return status === 200;
  });
});

test('by its own certificate it speaks TLS', async () => {
  const { serverCert, serverKey, ca } = await selfSignedCertificate();
  const [cert, key] = [readFileSync(serverCert, 'utf8'), readFileSync(serverKey, 'utf8')];
  const bench = await startBench({ login, settings: { tls: { cert, key } } });
  expect(bench.dashboard.url).toMatch(/^https:\/\/127\.0\.0\.1:\d+$/);
  const { headers } = await new Promise<{ headers: Record<string, unknown> }>((resolve, reject) => {
    const asked = request(`${bench.dashboard.url}/login`, {
      method: 'POST',
      ca,
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
    });
    asked.on('response', (response) => resolve(response.resume())).on('error', reject);
    asked.end(new URLSearchParams(login).toString());
  });
  expect(headers['strict-transport-security']).toBe('max-age=15552000');
  expect(String(headers['set-cookie'])).toMatch(/^__Host-vmsync-dr=.*; Secure; SameSite=Strict$/);

  const broken = configFor(bench.redis.url, login, { tls: { cert, key: 'no key' } });
  await expect(startDashboard(broken, silent, noForecasts)).rejects.toThrow(
    /cannot use its certificate: DASHBOARD_TLS_CERT_FILE/,
  );
});
