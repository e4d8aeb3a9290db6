import { describe, expect, test } from 'vitest';
import { cookieName, readCookie } from '../src/login/cookies.ts';
import { credentialsOf } from '../src/login/credentials.ts';
import { Gate } from '../src/login/gate.ts';
import { loginPath, nextPath } from '../src/login/next-path.ts';
import { PasswordCheck } from '../src/login/password-check.ts';
import { addressKey, type Tally, Throttle, waitMs } from '../src/login/throttle.ts';

describe('after the login', () => {
  test.each([
    '/',
    '/queues/queue/repairs?status=failed&page=2',
    '/runs/run-1#log',
    '/loginpage',
    '/%2F%2Felsewhere',
  ])('%s is a path of this site', (path) => {
    expect(nextPath(path)).toBe(path);
  });

  test.each([
    undefined,
    ['/'],
    '',
    'runs',
    '//elsewhere.example',
    '/\\elsewhere.example',
    '/a\\b',
    '\\\\elsewhere.example',
    'https://elsewhere.example/',
    'javascript:alert(1)',
    '/\t/elsewhere.example',
    '/\n/elsewhere.example',
    ' //elsewhere.example',
    '/ä',
    '/login',
    '/login?next=/login',
    '/LOGIN/',
    '/logout',
    `/${'a'.repeat(2_000)}`,
  ])('%j leads to the status page', (wanted) => {
    expect(nextPath(wanted)).toBe('/');
  });

  test('the login page is told where from', () => {
    expect(loginPath('/')).toBe('/login');
    expect(loginPath('//elsewhere.example')).toBe('/login');
    expect(loginPath('/a?b=c&d')).toBe('/login?next=%2Fa%3Fb%3Dc%26d');
  });
});

test('cookies are found by their whole name', () => {
  expect(readCookie('a=1; vmsync-dr=t0k=en; b=2', 'vmsync-dr')).toBe('t0k=en');
  expect(readCookie('xvmsync-dr=1;vmsync-dr=', 'vmsync-dr')).toBe('');
  expect(readCookie('vmsync-dr', 'vmsync-dr')).toBe('');
  expect(readCookie('a=vmsync-dr=1', 'vmsync-dr')).toBeUndefined();
  expect(readCookie(undefined, 'vmsync-dr')).toBeUndefined();
  expect(cookieName('dr', false)).toBe('vmsync-dr');
  expect(cookieName('primary', true)).toBe('__Host-vmsync-primary');
});

const base64 = (text: string): string => Buffer.from(text).toString('base64');

test.each([
  [`Basic ${base64('anna:p:w')}`, { kind: 'password', user: 'anna', password: 'p:w' }],
  [`basic  ${base64('änna:')}`, { kind: 'password', user: 'änna', password: '' }],
  ['Bearer a.b-c', { kind: 'token', token: 'a.b-c' }],
  [`Basic ${base64('anna')}`, undefined],
  ['Basic !', undefined],
  ['Basic', undefined],
  ['Bearer a b', undefined],
  ['Digest abc', undefined],
  [undefined, undefined],
])('%s', (header, expected) => {
  expect(credentialsOf(header)).toEqual(expected);
});

describe('slowing down', () => {
  const failed = (failures: number, lastMs = 0, open = 0): Tally => ({ failures, lastMs, open });

  test.each([
    ['a first try is free', undefined, failed(1_000), 0],
    ['so are five', failed(4), undefined, 0],
    ['the sixth waits 2 s', failed(5), undefined, 2_000],
    ['the eighth 8 s', failed(7), undefined, 8_000],
    ['none longer than a minute', failed(1_000), undefined, 60_000],
    ['who has failed once waits for what all have done', failed(1), failed(6), 4_000],
    ['tries that are not answered count', failed(2, 0, 3), undefined, 2_000],
  ])('%s', (_, address, user, expected) => {
    expect(waitMs(address, user, 0)).toBe(expected);
  });

  test('the wait is over in time, whatever others do meanwhile', () => {
    expect(waitMs(failed(5), undefined, 1_999)).toBe(1);
    expect(waitMs(failed(5), undefined, 2_000)).toBe(0);
    expect(waitMs(failed(1), failed(1_000, 59_999), 60_000)).toBe(0);
  });

  test('failures are forgotten a quarter of an hour after the last one', () => {
    const throttle = new Throttle();
    for (let n = 0; n < 9; n += 1) fail(throttle, '192.0.2.1', 'anna', 0);
    expect(throttle.waitMs('192.0.2.1', 'anna', 0)).toBeGreaterThan(0);
    expect(throttle.waitMs('192.0.2.1', 'berta', 0)).toBeGreaterThan(0);
    expect(throttle.waitMs('192.0.2.2', 'anna', 0)).toBe(0);
    fail(throttle, '192.0.2.2', 'anna', 0);
    expect(throttle.waitMs('192.0.2.2', 'anna', 0)).toBe(60_000);
    expect(throttle.waitMs('192.0.2.2', 'berta', 0)).toBe(0);
    fail(throttle, '192.0.2.1', 'anna', 900_001);
    expect(throttle.waitMs('192.0.2.1', 'anna', 900_001)).toBe(0);
  });

  test('being right forgives nothing and costs nothing', () => {
    const throttle = new Throttle();
    for (let n = 0; n < 5; n += 1) fail(throttle, '192.0.2.1', 'anna', 0);
    throttle.begin('192.0.2.1', 2_000);
    throttle.end('192.0.2.1', 'berta', 'right', 2_100);
    expect(throttle.waitMs('192.0.2.1', 'anna', 2_100)).toBe(0);
    fail(throttle, '192.0.2.1', 'anna', 2_100);
    expect(throttle.waitMs('192.0.2.1', 'anna', 2_100)).toBe(4_000);
  });

  test('a flood of addresses takes no memory without end', () => {
    const throttle = new Throttle();
    for (let n = 0; n < 5; n += 1) fail(throttle, 'first', 'anna', 0);
    expect(throttle.waitMs('first', 'anna', 0)).toBe(2_000);
    for (let n = 0; n < 10_000; n += 1) fail(throttle, `other-${n}`, `user-${n}`, 0);
    expect(throttle.waitMs('first', 'anna', 0)).toBe(0);
    expect(throttle.waitMs('other-1', 'anna', 0)).toBe(0);
  });

  function fail(throttle: Throttle, address: string, user: string, nowMs: number): void {
    throttle.begin(address, nowMs);
    throttle.end(address, user, 'wrong', nowMs);
  }

  test.each([
    ['192.0.2.1', '192.0.2.1'],
    ['::ffff:192.0.2.1', '192.0.2.1'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['2001:0DB8:1:2::9', '2001:db8:1:2::/64'],
    ['2001:db8::9', '2001:db8:0:0::/64'],
    ['::1', '0:0:0:0::/64'],
    ['fe80::1%eth0', 'fe80:0:0:0::/64'],
  ])('%s counts as %s', (address, key) => {
    expect(addressKey(address)).toBe(key);
  });
});

test('a gate lets some in, some wait, and refuses the rest', async () => {
  const gate = new Gate(2, 1);
  const { promise: opened, resolve: open } = Promise.withResolvers<string>();
  let running = 0;
  const task = async () => {
    running += 1;
    const answer = await opened;
    running -= 1;
    return answer;
  };
  const three = [gate.run(task), gate.run(task), gate.run(task)];
  expect(await gate.run(task)).toBeUndefined();
  expect(running).toBe(2);
  open('in');
  expect(await Promise.all(three)).toEqual(['in', 'in', 'in']);
  await expect(gate.run(() => Promise.reject(new Error('failed')))).rejects.toThrow('failed');
  await expect(gate.run(() => Promise.reject(new Error('failed')))).rejects.toThrow('failed');
  expect(await gate.run(async () => 'still in')).toBe('still in');
});

test('a crowd that tries passwords is not let in at once, and waits for nobody in particular', async () => {
  const passwordHash =
    '$scrypt$ln=10,r=8,p=1$aM15713r3Xsvxbi31lqr1Q$nFNh2CVHVjNldFVKDHDlm4CbdRSCdEBs';
  const person = { name: 'anna', role: 'operator' } as const;
  const passwords = new PasswordCheck([{ login: { user: 'anna', passwordHash }, person }], () => 0);
  const crowd = Array.from({ length: 30 }, (_, n) =>
    passwords.check(`192.0.2.${n}`, 'anna', 'guess'),
  );
  const kinds = (await Promise.all(crowd)).map(({ kind }) => kind);
  expect(kinds.filter((kind) => kind === 'wrong')).toHaveLength(22);
  expect(kinds.filter((kind) => kind === 'busy')).toHaveLength(8);
  // Who was sent away has not failed: its next try is looked at.
  expect(await passwords.check('192.0.2.29', 'anna', 'guess')).toEqual({ kind: 'wrong' });
  expect((await passwords.check('192.0.2.0', 'anna', 'guess')).kind).toBe('wait');
});
