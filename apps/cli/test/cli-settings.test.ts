import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Env, runVmSync } from '@vm-sync/fault-bench';
import { isPassword } from '@vm-sync/runtime';
import { temporaryFolder } from '@vm-sync/testkit';
import { describe, expect, test } from 'vitest';

/** Nothing listens there: a command that did anything would say so. */
const good: Env = {
  ROLE: 'dr',
  ACTIVE_SITE: 'primary',
  LOCAL_VM_URL: 'http://127.0.0.1:9',
  REMOTE_VM_URL: 'http://127.0.0.1:10',
  REDIS_URL: 'redis://127.0.0.1:9',
};

const run = (args: readonly string[], env: Env = good, folder = temporaryFolder('cli')) =>
  runVmSync(args, folder, env);

describe.concurrent('settings', () => {
  test('every fault is named at once, and nothing is done', async () => {
    const { code, stdout, stderr } = await run(['up'], {
      ROLE: 'both',
      LOCAL_VM_URL: 'victoriametrics:8428',
      REMOTE_VM_PASSWORD_FILE: '/nowhere/password',
      REMOTE_VM_CERT_FILE: '/nowhere/cert.pem',
      LOCAL_VM_USERNAME: 'anna',
      LOCAL_VM_BEARER_TOKEN: 'secret-token',
      PRIMARY_IP: 'primary.example.com',
      DNS_SERVER: 'resolver',
      CHECK_INTERVAL: 'often',
      QUERY_WINDOW: '0',
      QUERY_STEP: '-5',
      SETTLE_SECONDS: '3 fortnights',
      GAP_THRESHOLD: '90%',
      FAILBACK_CLEAN_CHECKS: '0',
      SYNC_DIRECTION: 'sideways',
      SYNC_MATCH: '{job=~"("',
      SYNC_EXCLUDE: '{',
      NOTIFY_WEBHOOK: 'hooks.example.com/secret-hook',
      NOTIFY_FORMAT: 'irc',
      REDIS_URL: 'localhost:6379/secret-redis',
      DASHBOARD_PORT: '70000',
      WORKER_CONCURRENCY: '1.5',
      LOG_LEVEL: 'chatty',
      LOG_FORMAT: 'xml',
    });
    expect(code).toBe(2);
    expect(stdout).toBe('');
    const named = [...stderr.matchAll(/^ {2}([A-Z_]+): ./gm)].map(([, name]) => name);
    const wanted =
      'ROLE LOCAL_VM_URL REMOTE_VM_URL PRIMARY_IP DNS_SERVER CHECK_INTERVAL QUERY_WINDOW QUERY_STEP SETTLE_SECONDS GAP_THRESHOLD FAILBACK_CLEAN_CHECKS SYNC_DIRECTION SYNC_MATCH SYNC_EXCLUDE NOTIFY_WEBHOOK NOTIFY_FORMAT REDIS_URL DASHBOARD_PORT WORKER_CONCURRENCY LOG_LEVEL LOG_FORMAT REMOTE_VM_PASSWORD_FILE REMOTE_VM_CERT_FILE LOCAL_VM_BEARER_TOKEN';
    expect(named).toEqual(expect.arrayContaining(wanted.split(' ')));
    expect(stderr).toContain(`${named.length} wrong or missing settings`);
    expect(stderr).not.toMatch(/secret-/);
  });

  test('what is right by itself and wrong together is named as well', async () => {
    const { code, stderr } = await run(['scheduler'], {
      ...good,
      ACTIVE_SITE: 'auto',
      PRIMARY_IP: '192.0.2.1',
      REMOTE_VM_URL: good['LOCAL_VM_URL'] ?? '',
      QUERY_STEP: '2h',
      QUERY_WINDOW: '1h',
      DASHBOARD_HOST: '0.0.0.0',
      DASHBOARD_USER: 'anna',
    });
    expect(code).toBe(2);
    for (const fault of [
      'DNS_RECORD: missing; required unless ACTIVE_SITE is primary or dr',
      'DR_IP: missing',
      'REMOTE_VM_URL: the same as LOCAL_VM_URL',
      'QUERY_WINDOW: shorter than QUERY_STEP',
      'DASHBOARD_PASSWORD: DASHBOARD_USER and DASHBOARD_PASSWORD go together',
      'DASHBOARD_HOST: listening beyond loopback needs DASHBOARD_USER and DASHBOARD_PASSWORD',
    ]) {
      expect(stderr).toContain(fault);
    }
  });

  test('no settings at all', async () => {
    const { code, stderr } = await run(['check'], {});
    expect(code).toBe(2);
    expect(stderr).toMatch(/ROLE: missing; expected primary or dr/);
    expect(stderr).toMatch(/LOCAL_VM_URL: missing; expected a URL/);
    expect(stderr).toMatch(/DNS_RECORD: missing; required unless/);
  });

  test('settings come from a file, and the environment wins', async () => {
    const folder = temporaryFolder('cli');
    const lines = Object.entries({ ...good, ROLE: 'neither' }).map(
      ([name, value]) => `${name}=${value}`,
    );
    await writeFile(join(folder, '.env'), lines.join('\n'));
    await writeFile(join(folder, 'other.env'), lines.join('\n').replace('neither', 'nobody'));
    expect((await run(['check'], {}, folder)).stderr).toContain('"neither"');
    expect((await run(['--env-file', 'other.env', 'check'], {}, folder)).stderr).toContain(
      '"nobody"',
    );
    const { code, stdout } = await run(['check'], { ROLE: 'dr' }, folder);
    expect(code).toBe(2);
    expect(stdout).toMatch(
      /^unknown: .*Local VM unhealthy: http:\/\/127\.0\.0\.1:9 \(.*refuses connections/,
    );
  });

  test('a settings file that is not there', async () => {
    const { code, stderr } = await run(['--env-file', 'absent.env', 'check']);
    expect(code).toBe(2);
    expect(stderr).toMatch(/cannot read the file named by --env-file: .*absent\.env/);
  });

  test('a password is hashed without any settings', async () => {
    const folder = temporaryFolder('cli');
    const hashed = await runVmSync(['hash-password'], folder, {}, 'three in the morning\n');
    expect(hashed.code).toBe(0);
    expect(await isPassword('three in the morning', hashed.stdout.trim())).toBe(true);
    expect(hashed.stderr).not.toContain('three');
    const nothing = await runVmSync(['hash-password'], folder, {}, '\n');
    expect(nothing).toMatchObject({ code: 2, stdout: '' });
    expect(nothing.stderr).toContain('expected one line, the password');
  });

  test('a command or an option that does not exist, and none at all', async () => {
    const unknown = await run(['repair']);
    expect(unknown.code).toBe(2);
    expect(unknown.stderr).toMatch(/unknown command 'repair'[\s\S]*vm-sync --help/);
    const option = await run(['check', '--fast']);
    expect(option.code).toBe(2);
    expect(option.stderr).toMatch(/unknown option '--fast'[\s\S]*--help/);
    const none = await run([]);
    expect(none.code).toBe(2);
    expect(none.stderr).toMatch(/Usage: vm-sync/);
    const surplus = await run(['check', 'now']);
    expect(surplus.code).toBe(2);
    const help = await run(['--help'], {});
    expect(help.code).toBe(0);
    expect(help.stdout).toMatch(/up[\s\S]*check[\s\S]*backfill[\s\S]*doctor/);
  });

  test.each([
    [['ready', '--site', 'mars'], /--site: expected primary or dr, got "mars"/],
    [['backfill', '--from', 'yesterday', '--to', '2026-01-02'], /^--from: expected a time such as/],
    [['backfill', '--from', '2026-01-02', '--to', ''], /^--to: expected a time such as/],
    [
      ['backfill', '--from', '2026-01-02', '--to', '2026-01-01'],
      /^--from: must be earlier than the end/,
    ],
    [['backfill', '--from', '2026-01-02', '--to', '2026-01-02'], /^--from: .*the range is empty/],
    [['backfill', '--from', '2026-01-02', '--to', '2999-01-01'], /^--to: lies in the future/],
    [
      ['backfill', '--from', '72h', '--to', '1s'],
      /^--to: samples younger than SETTLE_SECONDS are still in flight; at the latest \d{4}-/,
    ],
    [
      ['backfill', '--from', '72h', '--to', '1h', '--match', '{a="b"}', '--match', '{job=~"("}'],
      /^--match: not a regular expression/,
    ],
    [['backfill', '--from', '2026-01-02'], /--to <time>' not specified/],
    [['backfill', '--from', '72h', '--to', '1h'], /Redis cannot be reached \(REDIS_URL\)/],
    [['backfill', '--from', '72h', '--to', '1h', '--dry-run'], /^unknown: Remote VM unhealthy/],
    [['backfill', 'pause'], /missing required argument 'id'/],
    [['backfill', 'list'], /Redis cannot be reached \(REDIS_URL\)/],
    [['backfill', 'cancel', 'b1'], /Redis cannot be reached \(REDIS_URL\)/],
    [['backfill', 'stop', 'b1'], /error: /],
    [['backfill'], /error: /],
    [['status'], /Redis cannot be reached \(REDIS_URL\)/],
    [['pause'], /Redis cannot be reached \(REDIS_URL\)/],
  ] as const)('%j', async (args, says) => {
    const { code, stderr } = await run(args);
    expect(stderr).toMatch(says);
    expect(code).toBe(2);
  });
});
