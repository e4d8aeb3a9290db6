import { CHUNK_OPTIONS, ChunkOrder, connect, KitStore, openQueue } from '@vm-sync/queue';
import { createLogger, envToConfig, secretsOf } from '@vm-sync/runtime';
import { startRedis, until } from '@vm-sync/testkit';
import { expect, onTestFinished, test } from 'vitest';
import { startWorker } from '../src/index.ts';
import { startFakeVm } from './fake-vm.ts';
import { putInForce } from './put-in-force.ts';

const secrets = { password: 'url-pass-41', token: 'header-token-42' };
const SAMPLES = 120;
const toMs = Math.floor(Date.now() / 60_000) * 60_000 - 600_000;
const window = { fromMs: toMs - 600_000, toMs };
const order = ChunkOrder.parse({
  runId: 'run-1',
  direction: { source: 'dr', destination: 'primary' },
  epoch: 1,
  chunk: { selectors: ['{__name__="up"}'], window, series: 1, samples: SAMPLES, counted: true },
  stepMs: 300_000,
  dedupMs: 0,
});

/** A worker between two sites, of which only the source has anything, with its orders in force. */
async function startBench() {
  const redis = await startRedis();
  onTestFinished(() => redis.stop());
  const connection = connect(redis.url, 'brief');
  connection.on('error', () => undefined);
  onTestFinished(() => connection.disconnect());
  const [dr, primary] = [await startFakeVm(SAMPLES), await startFakeVm(0)];
  await putInForce(connection, order.chunk);
  const config = envToConfig({
    ROLE: 'dr',
    ACTIVE_SITE: 'dr',
    LOCAL_VM_URL: dr.url.replace('http://', `http://reader:${secrets.password}@`),
    REMOTE_VM_URL: primary.url,
    REMOTE_VM_BEARER_TOKEN: secrets.token,
    REDIS_URL: redis.url,
  });
  const worker = await startWorker(config, createLogger('silent', 'worker', secretsOf(config)));
  onTestFinished(() => worker.close());
  const queue = openQueue('repairs', { url: redis.url });
  onTestFinished(() => queue.close());
  const stateOf = (id: string) => queue.getJobState(id);
  return { connection, dr, primary, queue, stateOf, kits: new KitStore(connection) };
}

test('a chunk that failed for good carries a repair kit until it is done, and no secret', async () => {
  const { connection, primary, queue, stateOf, kits } = await startBench();
  // As a proxy may: it repeats what it was sent.
  primary.refusal = (authorization) => ({
    status: 400,
    body: `too long line: more than 10485760 bytes; authorization: ${authorization}; ${secrets.password}`,
  });
  await queue.add('repair-chunk', order, { ...CHUNK_OPTIONS, jobId: 'chunk-1' });
  await until('the failure', async () => (await stateOf('chunk-1')) === 'failed');

  const kit = await kits.load('chunk-1');
  expect(kit).toMatchObject({
    direction: order.direction,
    cause: 'primary sets a limit: a line of the import is longer than it reads',
    advice: 'raise -import.maxLineLen on primary and restart it, then retry this job',
    flags: [{ site: 'primary', name: '-import.maxLineLen' }],
    counts: { source: { samples: SAMPLES, why: null }, destination: { samples: 0, why: null } },
  });
  expect(kit?.commands.map(({ what }) => what)).toEqual([
    'count on dr',
    'count on primary',
    'export from dr',
    'import into primary',
  ]);
  const { logs } = await queue.getJobLogs('chunk-1');
  const story = logs.join('\n');
  expect(story).toMatch(/\nwhy: primary sets a limit: .*\nwhat to do: raise -import/);
  expect(story).toContain(
    'counted when it failed: dr (source) 120 samples; primary (destination) 0',
  );
  // Alone on its line, to be copied.
  expect(story).toContain('\ncurl -fsS -u "$LOCAL_VM_USERNAME:$LOCAL_VM_PASSWORD" ');
  const job = await queue.getJob('chunk-1');
  // Still one sentence, which the kit does not change.
  expect(job?.failedReason).toMatch(/^repair dr → primary, .*answered 400: too long line: [^\n]*$/);
  expect(job?.stacktrace).toEqual([
    expect.stringMatching(
      /^repair dr → primary, .*\n\nwhy: primary sets a limit: .*\nwhat to do: raise .*\nflag on primary: .*\ncounted when it failed: .*\ncommands .*log$/,
    ),
  ]);
  expect(job?.progress).toMatchObject({ says: expect.stringMatching(/^failed: repair dr/) });
  const kept = JSON.stringify([
    job,
    kit,
    story,
    await connection.hgetall('{vmsync}:repairs:chunk-1'),
  ]);
  expect(kept).toContain('***');
  for (const secret of secretsOfBench()) expect(kept).not.toContain(secret);

  primary.refusal = undefined;
  await job?.retry();
  await until('the repair', async () => (await stateOf('chunk-1')) === 'completed');
  expect(await kits.load('chunk-1')).toBeUndefined();
  expect((await queue.getJob('chunk-1'))?.progress).toMatchObject({
    says: expect.stringMatching(/^done: repaired, 120 samples/),
    progress: 100,
  });
});

/** Also as the login goes over the wire. */
const secretsOfBench = (): string[] => [
  ...Object.values(secrets),
  Buffer.from(`reader:${secrets.password}`).toString('base64'),
];

test('only the last try leaves a kit; a side that cannot be counted is named, and the failure stays its own', async () => {
  const { dr, primary, queue, stateOf, kits } = await startBench();
  primary.refusal = () => {
    // From now on nothing can be counted there either.
    dr.held = -1;
    return { status: 500, body: 'out of luck' };
  };
  const backoff = { type: 'fixed', delay: 600_000 };
  await queue.add('repair-chunk', order, { attempts: 2, backoff, jobId: 'chunk-1' });
  await until('the first failure', async () => (await stateOf('chunk-1')) === 'delayed');
  expect(await kits.load('chunk-1')).toBeUndefined();
  dr.held = SAMPLES;
  await (await queue.getJob('chunk-1'))?.promote();
  await until('the last failure', async () => (await stateOf('chunk-1')) === 'failed');
  const kit = await kits.load('chunk-1');
  expect(kit).toMatchObject({
    cause: 'primary failed at the request',
    flags: [],
    counts: {
      source: { samples: null, why: expect.stringMatching(/^VM query error: dr/) },
      destination: { samples: 0, why: null },
    },
  });
  expect((await queue.getJob('chunk-1'))?.failedReason).toContain('answered 500: out of luck');
});
