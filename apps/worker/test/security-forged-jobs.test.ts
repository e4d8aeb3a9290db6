import { CHUNK_OPTIONS, connect, openQueue } from '@vm-sync/queue';
import { createLogger, envToConfig } from '@vm-sync/runtime';
import { startRedis, until } from '@vm-sync/testkit';
import { describe, expect, onTestFinished, test } from 'vitest';
import { startWorker } from '../src/index.ts';
import { readOrder } from '../src/read-order.ts';
import { startFakeVm } from './fake-vm.ts';
import { putInForce } from './put-in-force.ts';

const toMs = Math.floor(Date.now() / 60_000) * 60_000 - 600_000;
const good = {
  runId: 'run-1',
  direction: { source: 'dr', destination: 'primary' },
  epoch: 1,
  recovery: false,
  chunk: {
    selectors: ['{__name__="up"}'],
    window: { fromMs: toMs - 600_000, toMs },
    series: 1,
    samples: 120,
  },
  stepMs: 300_000,
  dedupMs: 0,
};
const withSelectors = (...selectors: string[]) => ({
  ...good,
  chunk: { ...good.chunk, selectors },
});

describe('an order is read', () => {
  test.each([
    '{__name__="up",path="\\"} or {__name__=~\\".+"}',
    '{job=~".*(?:a|e|s).{3}",__name__!~"vmsync_.+"}',
    '{site="primary",rack="7"}',
    '{__name__="vmsyncer_total"}',
  ])('%s', (selector) => {
    expect(readOrder(withSelectors(selector))?.chunk.selectors).toEqual([selector]);
  });
});

describe('a forged order is none, by its selectors', () => {
  test.each([
    ['more than one', '{a="1"} {b="2"}'],
    ['one of another kind', '{a="1" or b="2"}'],
    ['a query around it', '{a="1"}[5m])) or sum(count_over_time({__name__=~".+"}'],
    ['a label value that ends too early', '{a="1"} or {__name__=~".+"}'],
    ['none at all', 'sum(1)'],
    ['whose database it is', '{__name__="vmsync_identity"}'],
    ['of the known pair', '{__name__="vmsync_identity",pair="p"}'],
    ['who repairs', '{__name__=~"vmsync_.+",site="dr"}'],
    ['all that there is', '{__name__!=""}'],
    ['all of a pair', '{pair!=""}'],
  ])('%s', (_, selector) => {
    expect(readOrder(withSelectors('{__name__="up"}', selector))).toBeUndefined();
  });
});

/** A worker between two sites, and a third server that no setting names. */
async function startBench() {
  const redis = await startRedis();
  onTestFinished(() => redis.stop());
  const connection = connect(redis.url, 'brief');
  connection.on('error', () => undefined);
  onTestFinished(() => connection.disconnect());
  const [dr, primary, stranger] = await Promise.all([120, 0, 500].map(startFakeVm));
  if (!dr || !primary || !stranger) throw new Error('three servers were started');
  const config = envToConfig({
    ROLE: 'dr',
    ACTIVE_SITE: 'dr',
    LOCAL_VM_URL: dr.url,
    REMOTE_VM_URL: primary.url,
    REDIS_URL: redis.url,
  });
  const worker = await startWorker(config, createLogger('silent', 'worker', []));
  onTestFinished(() => worker.close());
  const queue = openQueue('repairs', { url: redis.url });
  onTestFinished(() => queue.close());
  return { connection, dr, primary, stranger, queue };
}

test('whatever a job carries: only the two databases of the settings are asked, and only an order in force writes', async () => {
  const { connection, dr, primary, stranger, queue } = await startBench();
  const url = stranger.url;
  const elsewhere = {
    url,
    readUrl: url,
    writeUrl: url,
    vm: { primary: { url }, dr: { url } },
    pair: { source: { url }, destination: { url } },
    config: { vm: { dr: { site: 'dr', url } } },
  };
  const forged: Record<string, unknown> = {
    garbage: { ...elsewhere, __proto__: null },
    'not-an-object': [url],
    'a-site-of-its-own': { ...good, ...elsewhere, direction: { source: url, destination: 'dr' } },
    'one-site': { ...good, ...elsewhere, direction: { source: 'dr', destination: 'dr' } },
    'a-query': { ...withSelectors('{a="b"}[5m])) or vector(1'), ...elsewhere },
    'our-markers': { ...withSelectors('{__name__="vmsync_identity"}'), ...elsewhere },
    'no-end': {
      ...good,
      ...elsewhere,
      chunk: { ...good.chunk, window: { fromMs: 1, toMs: 1e20 } },
    },
  };
  const put = (id: string, data: unknown) =>
    queue.add('repair-chunk', data, { ...CHUNK_OPTIONS, jobId: id });
  for (const [id, data] of Object.entries(forged)) await put(id, data);
  for (const id of Object.keys(forged)) {
    await until(`the end of ${id}`, async () => (await queue.getJobState(id)) === 'failed');
    const reason = (await queue.getJob(id))?.failedReason;
    expect([id, reason]).toEqual([id, expect.stringMatching(/is not a chunk that can be read/)]);
  }
  // Well made, but of a run that nobody began, of another time, or to the active site.
  await putInForce(connection, good.chunk);
  const backwards = { source: 'primary', destination: 'dr' };
  await put('no-run', { ...good, ...elsewhere, runId: 'run-2' });
  await put('epoch', { ...good, ...elsewhere, epoch: 2 });
  await put('backwards', { ...good, ...elsewhere, direction: backwards });
  for (const id of ['no-run', 'epoch', 'backwards']) {
    await until(`the end of ${id}`, async () => (await queue.getJobState(id)) === 'failed');
    const reason = (await queue.getJob(id))?.failedReason;
    expect([id, reason]).toEqual([
      id,
      expect.stringMatching(/no longer holds: .*nothing was written/),
    ]);
  }
  expect([primary.held, dr.held]).toEqual([0, 120]);

  await put('in-force', { ...good, ...elsewhere });
  await until('the copy', async () => (await queue.getJobState('in-force')) === 'completed');
  expect([primary.held, dr.held]).toEqual([120, 120]);
  expect([stranger.held, stranger.requests]).toEqual([500, 0]);
});
