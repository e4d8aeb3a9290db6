import { request } from 'node:http';
import { describe, expect, test } from 'vitest';
import { isLoopbackHost } from '../src/http/guard-host.ts';
import { isSameOrigin } from '../src/http/same-origin.ts';
import { startBench } from './setup.ts';

const login = { user: 'operator', password: 'pass:wörd' };
const basic = (user: string, password: string) => ({
  authorization: `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`,
});

describe('with a login', () => {
  test('all but probes and parity ask for it', async () => {
    const { get } = await startBench({ login });
    for (const path of ['/', '/queues', '/metrics', '/api/status', '/assets/page.js', '/nowhere']) {
      const { status, headers } = await get(path);
      expect([path, status]).toEqual([path, 401]);
      expect(headers.get('www-authenticate')).toContain('Basic');
    }
    expect((await get('/healthz')).status).toBe(200);
    expect((await get('/readyz')).status).toBe(200);
    expect((await get('/parity/dr')).status).toBe(503);
    expect((await get('/api/checks', { method: 'POST' })).status).toBe(401);
  });

  test('the right one opens, others do not', async () => {
    const { get } = await startBench({ login });
    const statusWith = async (headers: Record<string, string>) =>
      (await get('/api/status', { headers })).status;
    expect(await statusWith(basic(login.user, login.password))).toBe(200);
    expect(await statusWith(basic(login.user, 'pass'))).toBe(401);
    expect(await statusWith(basic('operator:pass', 'wörd'))).toBe(200); // the same header
    expect(await statusWith(basic('', ''))).toBe(401);
    expect(await statusWith({ authorization: 'Basic !' })).toBe(401);
    expect(await statusWith({ authorization: 'Bearer abc' })).toBe(401);
  });
});

describe('without a login', () => {
  test('a foreign host name is refused, so that no page can rebind its name', async () => {
    const { dashboard } = await startBench();
    const { port } = new URL(dashboard.url);
    expect(await statusWithHost(dashboard.url, `localhost:${port}`)).toBe(200);
    expect(await statusWithHost(dashboard.url, `evil.example:${port}`)).toBe(403);
  });

  test.each([
    ['localhost', true],
    ['LOCALHOST:3000', true],
    ['127.0.0.1:3000', true],
    ['127.9.9.9', true],
    ['[::1]:3000', true],
    ['127.0.0.1.evil.example', false],
    ['localhost.evil.example', false],
    ['10.0.0.1:3000', false],
    ['', false],
  ])('host %j is loopback: %j', (host, expected) => {
    expect(isLoopbackHost(host)).toBe(expected);
  });
});

function statusWithHost(url: string, host: string): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    request(`${url}/healthz`, { headers: { host } }, (response) => {
      response.resume();
      resolve(response.statusCode);
    })
      .on('error', reject)
      .end();
  });
}

describe('writes from another site', () => {
  test('are refused with a sentence', async () => {
    const { get } = await startBench();
    const post = (path: string, headers: Record<string, string>) =>
      get(path, { method: 'POST', headers });
    const refused = await post('/api/checks', { 'sec-fetch-site': 'cross-site' });
    expect(refused.status).toBe(403);
    expect(JSON.parse(refused.text)).toEqual({
      error: expect.stringContaining('another web site'),
    });
    expect((await post('/api/checks', { origin: 'http://evil.example' })).status).toBe(403);
    expect((await post('/queues/api/queues/checks/add', { origin: 'null' })).status).toBe(403);
    expect((await post('/api/checks', { 'sec-fetch-site': 'same-origin' })).status).toBe(202);
    expect((await post('/api/checks', {})).status).toBe(202);
  });

  const host = 'vm.example:3000';
  test.each([
    [{ fetchSite: 'same-origin', origin: 'http://vm.example:3000', host }, true],
    [{ fetchSite: 'same-site', origin: 'http://vm.example:3000', host }, false],
    [{ fetchSite: 'none', origin: undefined, host }, false],
    [{ fetchSite: undefined, origin: undefined, host }, true],
    [{ fetchSite: undefined, origin: 'http://vm.example:3000', host }, true],
    [{ fetchSite: undefined, origin: 'http://VM.example:3000', host: 'VM.example:3000' }, true],
    [{ fetchSite: undefined, origin: 'http://vm.example:3001', host }, false],
    [{ fetchSite: undefined, origin: 'null', host }, false],
    [{ fetchSite: undefined, origin: 'http://vm.example:3000', host: undefined }, false],
  ])('%j is the same origin: %j', (from, expected) => {
    expect(isSameOrigin(from)).toBe(expected);
  });
});

test('every answer carries the strict policy, and none names the server software', async () => {
  const { get } = await startBench();
  for (const path of ['/', '/queues', '/queues/api/queues', '/api/status', '/nowhere']) {
    const { headers } = await get(path);
    const policy = headers.get('content-security-policy') ?? '';
    expect(policy).toContain("default-src 'none'");
    expect(policy).toMatch(/script-src 'self'(?:;|$)/);
    expect(policy).toContain("frame-ancestors 'none'");
    expect(headers.get('x-powered-by')).toBeNull();
    expect(headers.get('x-content-type-options')).toBe('nosniff');
  }
});
