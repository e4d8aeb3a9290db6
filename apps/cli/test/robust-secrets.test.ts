import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Stack, startStack } from '@vm-sync/fault-bench';
import { connect } from '@vm-sync/queue';
import {
  freePort,
  noDifference,
  startProcess,
  temporaryFolder,
  until,
  vmProgramPath,
} from '@vm-sync/testkit';
import { expect, onTestFinished, test } from 'vitest';
import { recentLoss } from './support/recent.ts';

const secrets = {
  vm: 'vm-pass "wörd" 41/+',
  token: 'dr-bearer-token-42',
  redis: 'redis-pass@43:/',
  dashboard: 'dashboard "pass" 44',
  sig: 'webhook-sig-45',
  wrongVm: 'wrong-vm-pass-46',
  wrongToken: 'wrong-bearer-47',
};
const login = { DASHBOARD_USER: 'anna', DASHBOARD_PASSWORD: secrets.dashboard };
const authorization = `Basic ${Buffer.from(`anna:${secrets.dashboard}`).toString('base64')}`;

test('no secret is seen anywhere, with right and with wrong passwords', async () => {
  const { all, left } = recentLoss();
  await using stack = await startStack({
    role: 'primary',
    primary: { auth: { username: 'reader', password: secrets.vm } },
    webhook: true,
  });
  await stack.fill({ primary: all, dr: left });
  const redis = connect(stack.redis.url, 'brief');
  redis.on('error', () => {}); // the stack ends Redis first
  onTestFinished(() => redis.disconnect());
  await redis.config('SET', 'requirepass', secrets.redis);
  const right = {
    ...login,
    REMOTE_VM_URL: await startBearerGate(stack.dr.vm.url),
    REMOTE_VM_BEARER_TOKEN: secrets.token,
    REDIS_URL: `redis://:${encodeURIComponent(secrets.redis)}@127.0.0.1:${stack.redis.port}`,
    NOTIFY_WEBHOOK: `${stack.webhook.url}/hook?sig=${secrets.sig}`,
    LOG_LEVEL: 'trace',
  };
  const wrong = {
    ...right,
    LOCAL_VM_PASSWORD: secrets.wrongVm,
    REMOTE_VM_BEARER_TOKEN: secrets.wrongToken,
  };
  const places: Record<string, string> = {};

  stack.webhook.setStatus(500);
  stack.spawn('scheduler', right);
  stack.spawn('dashboard', right);
  const stranger = stack.spawn('worker', wrong);
  const failure = await stranger.untilLog(/failed: repair /);
  expect(failure.msg).toMatch(/login refused/);
  await stranger.stop();
  for (const command of ['check', 'doctor', 'status']) {
    const { code, stdout, stderr } = await stack.run(command, [], wrong);
    expect([command, code]).toEqual([command, command === 'check' ? 2 : 1]);
    places[`${command} with wrong passwords`] = stdout + stderr;
  }
  const wrongRedis = { ...right, REDIS_URL: right.REDIS_URL.replace('43', '43-wrong') };
  const { code, stdout, stderr } = await stack.run('status', [], wrongRedis);
  expect(code).toBe(2);
  places['status with a wrong Redis password'] = stdout + stderr;
  await readPlaces(stack, places, 'while failed');
  const kit = await readKit(stack);
  expect(kit.status).toBe(200);
  expect(kit.text).toContain("does not accept the worker's login");
  expect(kit.text).toContain('$REMOTE_VM_BEARER_TOKEN');
  places['the repair kit'] = kit.text;

  stack.webhook.setStatus(200);
  stack.spawn('worker', right);
  const retry = `${stack.dashboardUrl}/queues/api/queues/repairs/retry/failed`;
  await fetch(retry, { method: 'PUT', headers: { authorization } });
  await stack.untilReady();
  await until('all messages', () => stack.webhook.messages.some(({ body }) => /READY/.test(body)));
  expect(await stack.compareRaw()).toEqual(noDifference);
  await readPlaces(stack, places, 'at the end');
  places['Redis'] = await dump(redis);
  places['logs'] = JSON.stringify(stack.processes.map(({ lines }) => lines));
  places['messages'] = stack.webhook.messages.map(({ body }) => body).join('\n');

  expect(places['Redis']).toContain('login refused');
  // What was repaired since needs none any more.
  expect((await readKit(stack)).status).toBe(404);
  for (const [place, text] of Object.entries(places)) {
    // A chunk that nobody has begun has no log lines.
    expect(text.length, place).toBeGreaterThan(/\/logs/.test(place) ? 1 : 50);
    for (const [name, secret] of Object.entries(secrets)) {
      for (const spelling of spellings(secret)) {
        expect(text.includes(spelling), `${name} in ${place}: ${around(text, spelling)}`).toBe(
          false,
        );
      }
    }
  }
});

async function readPlaces(
  stack: Stack,
  places: Record<string, string>,
  when: string,
): Promise<void> {
  const [chunk] = await stackChunks(stack);
  const paths = [
    ...['/', '/api/status', '/api/runs', '/metrics'],
    ...['checks', 'repairs', 'notifications'].map(
      (queue) => `/queues/api/queues?activeQueue=${queue}&status=latest&page=1`,
    ),
    `/queues/api/queues/repairs/${chunk}`,
    `/queues/api/queues/repairs/${chunk}/logs`,
  ];
  for (const path of paths) {
    const response = await fetch(`${stack.dashboardUrl}${path}`, { headers: { authorization } });
    expect([path, response.status]).toEqual([path, 200]);
    places[`${path} ${when}`] = await response.text();
  }
  places[`state file ${when}`] = await readFile(stack.stateFile, 'utf8');
}

async function readKit(stack: Stack): Promise<{ status: number; text: string }> {
  const [chunk] = await stackChunks(stack);
  const url = `${stack.dashboardUrl}/api/jobs/${chunk}/repair-kit`;
  const response = await fetch(url, { headers: { authorization } });
  return { status: response.status, text: await response.text() };
}

async function stackChunks(stack: Stack): Promise<string[]> {
  const response = await fetch(`${stack.dashboardUrl}/api/runs`, { headers: { authorization } });
  const { runs } = (await response.json()) as { runs: { id: string }[] };
  return runs.map(({ id }) => `chunk-${id}-1`);
}

/** A vmauth that lets in who has the token. */
async function startBearerGate(target: string): Promise<string> {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const config = join(temporaryFolder('gate'), 'config.yaml');
  const users = [{ bearer_token: secrets.token, url_prefix: target }];
  await writeFile(config, JSON.stringify({ users }));
  const gate = await startProcess({
    name: 'vmauth with a bearer token',
    command: vmProgramPath('newest', 'vmauth'),
    args: [`-httpListenAddr=127.0.0.1:${port}`, `-auth.config=${config}`],
    ready: async () => (await fetch(`${url}/health`)).ok,
  });
  onTestFinished(() => gate.kill());
  return url;
}

/** Every key and value. */
async function dump(redis: ReturnType<typeof connect>): Promise<string> {
  const keys = await redis.keys('*');
  const values = await Promise.all(
    keys.map(async (key) => {
      const type = await redis.type(key);
      if (type === 'string') return redis.get(key);
      if (type === 'hash') return redis.hgetall(key);
      if (type === 'list') return redis.lrange(key, 0, -1);
      if (type === 'set') return redis.smembers(key);
      if (type === 'zset') return redis.zrange(key, 0, '-1');
      if (type === 'stream') return redis.xrange(key, '-', '+');
      throw new Error(`${key} is a ${type}`);
    }),
  );
  return keys.map((key, at) => `${key} ${JSON.stringify(values[at])}`).join('\n');
}

/** As it is, in a URL, in JSON, and in a login's header. */
const spellings = (secret: string): string[] => [
  secret,
  encodeURIComponent(secret),
  JSON.stringify(secret).slice(1, -1),
  ...['', ':', 'anna:', 'reader:'].map((user) =>
    Buffer.from(user + secret)
      .toString('base64')
      .replace(/=+$/, ''),
  ),
];

const around = (text: string, spelling: string): string => {
  const at = text.indexOf(spelling);
  return at < 0 ? '' : text.slice(Math.max(0, at - 200), at + 200);
};
