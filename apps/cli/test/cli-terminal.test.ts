import { stripVTControlCharacters } from 'node:util';
import { type Env, runVmSync, startOnTerminal, startVmSync } from '@vm-sync/fault-bench';
import { AuditStore, connect, Store } from '@vm-sync/queue';
import { type RedisServer, startRedis, temporaryFolder, until } from '@vm-sync/testkit';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { knownStatus } from './support/known-status.ts';

let redis: RedisServer;
let client: ReturnType<typeof connect>;
let store: Store;
const folder = temporaryFolder('cli-terminal');

const env = (more: Env = {}): Env => ({
  ROLE: 'primary',
  ACTIVE_SITE: 'primary',
  LOCAL_VM_URL: 'http://127.0.0.1:9',
  REMOTE_VM_URL: 'http://127.0.0.1:10',
  REDIS_URL: redis.url,
  TERM: 'xterm-256color',
  ...more,
});
const run = (args: readonly string[], more: Env = {}) => runVmSync(args, folder, env(more));

beforeAll(async () => {
  redis = await startRedis();
  client = connect(redis.url, 'brief');
  store = new Store(client, () => {});
  await store.saveStatus(knownStatus(Date.now()));
});
afterAll(async () => {
  client.disconnect();
  await redis.stop();
});

test('with --json there is one document in every case, and the sentence on standard error', async () => {
  const noRedis = { REDIS_URL: 'redis://127.0.0.1:9' };
  const [away, plan, wrong, none, done] = await Promise.all([
    run(['status', '--json'], noRedis),
    run(['plan', '--json']),
    run(['pin', 'mars', '--for', '2h', '--json']),
    run(['backfill', 'watch', 'b1', '--json']),
    run(['pause', '--json']),
  ]);
  const says = /^Redis cannot be reached \(REDIS_URL\): .*; start it, or mend REDIS_URL$/;
  expect([away.code, JSON.parse(away.stdout)]).toEqual([2, { error: expect.stringMatching(says) }]);
  expect(away.stderr.trim()).toMatch(says);
  expect(plan.code).toBe(2);
  expect(JSON.parse(plan.stdout).error).toMatch(/^unknown: .*Remote VM unhealthy: http/);
  expect([wrong.code, JSON.parse(wrong.stdout).error]).toEqual([2, expect.stringMatching(/site/)]);
  expect(none.code).toBe(2);
  expect(JSON.parse(none.stdout).error).toMatch(/^no backfill b1 is known: vm-sync backfill list/);
  expect([done.code, JSON.parse(done.stdout), done.stderr]).toEqual([0, { paused: true }, '']);
  const [line] = await new AuditStore(client).list(10);
  expect(line).toMatchObject({ by: 'command', action: 'pause', result: 'done' });
});

test('whoever stops reading is no error', async () => {
  const reading = startVmSync(['status', '--watch', '--every', '100ms'], folder, env());
  await until('its first lines', () => /^FAILBACK READY\n/.test(reading.text()));
  reading.closeOutput();
  let gaps = 0;
  await until('its end', async () => {
    gaps += 1;
    await store.saveStatus(knownStatus(Date.now(), { gapsDetected: gaps }));
    return reading.ended();
  });
  const { code, stderr } = await reading.untilEnded();
  expect([code, stderr]).toEqual([0, '']);
});

test('watched where it is no terminal: what is new, until Ctrl-C', async () => {
  await store.saveStatus(knownStatus(Date.now()));
  const watching = startVmSync(['status', '--watch', '--every', '100ms'], folder, env());
  onTestFinished(() => watching.signal('SIGKILL'));
  await until('a first look', () => watching.text().includes('samples synced'));
  const reasons = ['dr lacks 7 samples in 1 gaps'];
  await store.saveStatus(knownStatus(Date.now(), { failbackReady: false, reasons }));
  await until('the change', () => watching.text().includes('NOT READY'));
  watching.signal('SIGINT');
  const { code, stderr } = await watching.untilEnded();
  expect([code, stderr]).toEqual([1, '']);
  const text = watching.text();
  expect(text).toContain('NOT READY\n  dr lacks 7 samples in 1 gaps\n');
  expect(text.match(/samples synced/g)).toHaveLength(1);
  expect(text).toBe(stripVTControlCharacters(text));
});

test('on a terminal: coloured, redrawn, and left as it was', async () => {
  await store.saveStatus(knownStatus(Date.now()));
  const show = (args: readonly string[], more?: Env) =>
    startOnTerminal(['status', ...args], folder, env(more)).untilEnded();
  const [coloured, plain, unwanted] = await Promise.all([
    show([]),
    show([], { NO_COLOR: '1' }),
    show(['--no-color']),
  ]);
  expect(coloured.stdout).toContain('\x1b[1mFAILBACK READY');
  for (const { code, stdout } of [plain, unwanted]) {
    expect([code, stdout]).toEqual([0, stripVTControlCharacters(stdout)]);
    expect(stdout).toMatch(/^FAILBACK READY\r\n\r\nactive site/);
  }
  const watching = startOnTerminal(['status', '--watch', '--every', '100ms'], folder, env());
  onTestFinished(() => watching.signal('SIGKILL'));
  await until('a first screen', () => watching.text().includes('FAILBACK READY'));
  watching.type('\x03');
  const { code } = await watching.untilEnded();
  expect(code).toBe(0);
  expect(watching.text()).toContain('\x1b[?1049h');
  const [, left = ''] = watching.text().split('\x1b[?1049l');
  expect(stripVTControlCharacters(left)).toMatch(/^FAILBACK READY\r\n/);
});
