import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { temporaryFolder } from '@vm-sync/testkit';
import { describe, expect, test } from 'vitest';
import { ConfigError, envToConfig, secretsOf } from '../src/index.ts';

const least = {
  ROLE: 'dr',
  LOCAL_VM_URL: 'http://a:8428',
  REMOTE_VM_URL: 'http://b:8428',
  ACTIVE_SITE: 'dr',
};
const operator = { DASHBOARD_USER: 'ops', DASHBOARD_PASSWORD: 'dashpw' };
const HASH =
  '$scrypt$ln=14,r=8,p=5$aM15713r3Xsvxbi31lqr1Q$nFNh2CVHVjNldFVKDHDlm4CbdRSCdEBsjjJxD+iCs5E';
const [TOKEN, VIEWER_TOKEN] = ['0123456789abcdef', 'fedcba9876543210'];

const dashboardOf = (env: Record<string, string>) => envToConfig({ ...least, ...env }).dashboard;

function faultsOf(env: Record<string, string>): readonly string[] {
  try {
    dashboardOf(env);
  } catch (error) {
    if (error instanceof ConfigError) return error.faults;
    throw error;
  }
  return [];
}

function file(text: string): string {
  const path = join(temporaryFolder('dashboard'), 'secret');
  writeFileSync(path, text);
  return path;
}

test('without any setting there is no login', () => {
  expect(dashboardOf({})).toEqual({
    host: '127.0.0.1',
    port: 3000,
    login: undefined,
  });
});

test('everything is taken, also from files, and every secret is known', () => {
  const [cert, key] = [file('CERT'), file('KEY')];
  const env = {
    DASHBOARD_USER: 'ops',
    DASHBOARD_PASSWORD_HASH_FILE: file(`${HASH}\n`),
    DASHBOARD_VIEWER_USER: 'guest',
    DASHBOARD_VIEWER_PASSWORD_FILE: file('look\n'),
    DASHBOARD_TOKEN_FILE: file(`${TOKEN}\n`),
    DASHBOARD_VIEWER_TOKEN_FILE: file(VIEWER_TOKEN),
    DASHBOARD_OPEN: 'metrics, health',
    DASHBOARD_TLS_CERT_FILE: cert,
    DASHBOARD_TLS_KEY_FILE: key,
    DASHBOARD_TRUSTED_PROXIES: 'loopback 172.16.0.0/12,2001:db8::1',
    DASHBOARD_HOST: '0.0.0.0',
  };
  expect(dashboardOf(env)).toMatchObject({
    login: { user: 'ops', passwordHash: HASH },
    viewer: { user: 'guest', password: 'look' },
    token: TOKEN,
    viewerToken: VIEWER_TOKEN,
    open: ['health', 'metrics'],
    tls: { cert: 'CERT', key: 'KEY' },
    trustedProxies: ['loopback', '172.16.0.0/12', '2001:db8::1'],
  });
  const secrets = secretsOf(envToConfig({ ...least, ...env }));
  expect([...secrets].sort()).toEqual([HASH, 'look', TOKEN, VIEWER_TOKEN, 'KEY'].sort());
  const plain = {
    ...operator,
    DASHBOARD_VIEWER_USER: 'guest',
    DASHBOARD_VIEWER_PASSWORD_HASH: HASH,
  };
  expect(secretsOf(envToConfig({ ...least, ...plain }))).toEqual(['dashpw', HASH]);
});

test('nothing may be open', () => {
  expect(dashboardOf({ DASHBOARD_OPEN: 'none' }).open).toEqual([]);
});

describe('faults', () => {
  const viewer = { DASHBOARD_VIEWER_USER: 'guest', DASHBOARD_VIEWER_PASSWORD: 'look' };
  test.each([
    [
      { ...operator, DASHBOARD_PASSWORD_HASH: HASH },
      'DASHBOARD_PASSWORD_HASH: either DASHBOARD_PASSWORD or DASHBOARD_PASSWORD_HASH, not both',
    ],
    [
      { DASHBOARD_USER: 'ops', DASHBOARD_PASSWORD_HASH: 'secret-hash' },
      'DASHBOARD_PASSWORD_HASH: expected $scrypt$',
    ],
    [
      { ...operator, DASHBOARD_VIEWER_USER: 'guest' },
      'DASHBOARD_VIEWER_PASSWORD: DASHBOARD_VIEWER_USER and DASHBOARD_VIEWER_PASSWORD go together',
    ],
    [viewer, 'DASHBOARD_VIEWER_USER: needs DASHBOARD_USER and DASHBOARD_PASSWORD'],
    [
      { ...operator, ...viewer, DASHBOARD_VIEWER_USER: 'ops' },
      'DASHBOARD_VIEWER_USER: the same as DASHBOARD_USER',
    ],
    [{ ...operator, DASHBOARD_USER: 'o:ps' }, 'DASHBOARD_USER: expected a name without a colon'],
    [{ DASHBOARD_TOKEN: TOKEN }, 'DASHBOARD_TOKEN: needs DASHBOARD_USER'],
    [
      { ...operator, DASHBOARD_TOKEN: 'secret-token 42!' },
      'DASHBOARD_TOKEN: expected at least 16 letters',
    ],
    [{ ...operator, DASHBOARD_TOKEN: 'secret-token-42' }, 'DASHBOARD_TOKEN: expected at least 16'],
    [
      { ...operator, DASHBOARD_TOKEN: TOKEN, DASHBOARD_VIEWER_TOKEN: TOKEN },
      'DASHBOARD_VIEWER_TOKEN: the same as DASHBOARD_TOKEN',
    ],
    [{ DASHBOARD_OPEN: 'all' }, 'DASHBOARD_OPEN: expected health, parity, metrics'],
    [{ DASHBOARD_OPEN: 'none health' }, 'DASHBOARD_OPEN: expected health, parity, metrics'],
    [
      { DASHBOARD_TLS_CERT_FILE: '/dev/null' },
      'DASHBOARD_TLS_CERT_FILE: DASHBOARD_TLS_CERT_FILE and DASHBOARD_TLS_KEY_FILE go together',
    ],
    [
      { DASHBOARD_TLS_CERT_FILE: '/dev/null', DASHBOARD_TLS_KEY_FILE: '/nowhere' },
      'DASHBOARD_TLS_KEY_FILE: cannot read the file: ENOENT',
    ],
    [{ DASHBOARD_TRUSTED_PROXIES: '10.0.0.0/33' }, 'DASHBOARD_TRUSTED_PROXIES: expected addresses'],
    [{ DASHBOARD_TRUSTED_PROXIES: 'proxy' }, 'DASHBOARD_TRUSTED_PROXIES: expected addresses'],
  ])('%j', (env: Record<string, string>, fault) => {
    const faults = faultsOf(env);
    expect(faults).toEqual([expect.stringContaining(fault)]);
    expect(faults.join()).not.toContain('secret-');
  });
});
