import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { connect, openQueue, Store } from '@vm-sync/queue';
import { type RedisServer, startRedis } from '@vm-sync/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Dashboard, startDashboard } from '../src/index.ts';
import { failAll, fillBoard } from './load-board.ts';
import { ask, configFor, gapsStatus, noForecasts, silent } from './setup.ts';

const RUNS = 20;
const CHUNKS = 500;
const ALL = RUNS * CHUNKS;

let server: RedisServer;
let dashboard: Dashboard;
let redis: ReturnType<typeof connect>;
let repairs: ReturnType<typeof openQueue>;
let runId: string;

beforeAll(async () => {
  server = await startRedis();
  redis = connect(server.url, 'endless');
  repairs = openQueue('repairs', redis);
  dashboard = await startDashboard(configFor(server.url), silent, noForecasts);
  await new Store(redis, () => undefined).saveStatus(gapsStatus(['chunks have failed']));
  const runs = await fillBoard(redis, { runs: RUNS, chunks: CHUNKS });
  runId = runs[3]?.id ?? '';
}, 180_000);

afterAll(async () => {
  await dashboard.close();
  await repairs.close();
  redis.disconnect();
  await server.stop();
});

const get = (path: string, init?: RequestInit) => ask(`${dashboard.url}${path}`, init);
const board = (query: string) => get(`/queues/api/queues?activeQueue=repairs&${query}`);

/** What each may weigh: nothing of it grows with the number of jobs. */
const PAGES: readonly (readonly [path: string, mostBytes: number, says: string])[] = [
  ['/', 64_000, '10,000'],
  ['/api/status', 32_000, '"samplesPlanned"'],
  ['/api/runs', 32_000, '"runs"'],
  ['/runs', 32_000, '20'],
  ['/runs/RUN', 32_000, '500 failed'],
  ['/api/runs/RUN', 4_000, '"chunks":500'],
  ['/metrics', 64_000, `vmsync_jobs{queue="repairs",state="failed"} ${ALL}`],
  ['/actions', 32_000, 'Retry'],
  ['/actions/retry', 32_000, 'Retry 10,000 failed chunks?'],
  ['/api/jobs/chunk-RUN-7/repair-kit', 8_000, '-maxLabelsPerTimeseries'],
  ['/queues/api/queues', 32_000, `"failed":${ALL}`],
  ['/queues/api/queues?activeQueue=repairs&status=failed&page=1000', 64_000, '"pageCount":1000'],
  ['/queues/api/queues?activeQueue=repairs&status=latest', 64_000, 'too many labels'],
  ['/queues/api/queues/repairs/chunk-RUN-7', 16_000, 'too many labels'],
  ['/queues/api/queues/repairs/chunk-RUN-7/logs', 16_000, 'try 1: failed'],
  ['/queues/api/queues/checks/settle-RUN/flow', 64_000, 'settle-RUN'],
];

test.each(PAGES)(
  'with 10,000 failed jobs %s answers in at most %i bytes, and truly',
  async (path, most, says) => {
    const named = (text: string) => text.replaceAll('RUN', runId);
    const { status, text } = await get(named(path));
    expect(status).toBe(200);
    expect(Buffer.byteLength(text)).toBeLessThan(most);
    expect(text).toContain(named(says));
  },
);

test('however many jobs an address asks for, the board gives a page of 300', async () => {
  const { status, text } = await board('status=failed&jobsPerPage=100000');
  expect(status).toBe(200);
  const shown = JSON.parse(text).queues.find(({ name }: { name: string }) => name === 'repairs');
  expect(shown.jobs).toHaveLength(300);
  expect(shown.pagination.pageCount).toBe(Math.ceil(ALL / 300));
});

test('pages of 10,000 failed jobs leave nothing behind in memory', async () => {
  const round = async () => {
    for (const [path] of PAGES) await get(path.replaceAll('RUN', runId));
    await board('status=failed&jobsPerPage=300');
  };
  await round();
  const before = heapMiB();
  for (let at = 0; at < 5; at++) await round();
  expect(heapMiB() - before).toBeLessThan(10);
});

test('a retry by the API takes all that are meant and no others, while all else is answered', async () => {
  const post = async (body: object) => {
    const headers = { 'content-type': 'application/json' };
    const { status, text } = await get('/api/chunks/retry', {
      method: 'POST',
      headers,
      body: JSON.stringify(body),
    });
    return [status, JSON.parse(text)];
  };
  expect(await post({ run: runId })).toEqual([200, { retried: CHUNKS }]);
  expect(await repairs.getWaitingCount()).toBe(CHUNKS);
  const asked = await besides(() => post({ error: 'too many labels' }));
  expect(asked).toEqual([200, { retried: ALL - CHUNKS }]);
  expect(await counts()).toEqual({ failed: 0, waiting: ALL });
  expect(await post({})).toEqual([409, { error: expect.stringContaining('none has failed') }]);
});

test('a retry of all on the board takes all, also where two press the button, while all else is answered', async () => {
  await failAll(redis);
  expect(await counts()).toEqual({ failed: ALL, waiting: 0 });
  const press = () => get('/queues/api/queues/repairs/retry/failed', { method: 'PUT' });
  const both = await besides(() =>
    Promise.all([press(), get('/api/chunks/retry', { method: 'POST' })]),
  );
  // Whichever came first, none is left; the board may find that another has taken a job, and says so.
  expect(both[1]?.status).toBe(200);
  if (both[0]?.status !== 200) await press();
  expect(await counts()).toEqual({ failed: 0, waiting: ALL });
  expect((await get('/audit')).text).toContain('failed jobs');
}, 120_000);

async function counts() {
  const [failed, waiting] = await Promise.all([
    repairs.getFailedCount(),
    repairs.getWaitingCount(),
  ]);
  return { failed, waiting };
}

/** Asks what everybody asks until an act is done; each answer must be right. */
async function besides<T>(act: () => Promise<T>): Promise<T> {
  let done = false;
  const acting = act().finally(() => {
    done = true;
  });
  let asked = 0;
  while (!done) {
    const [health, parity, page] = await Promise.all([
      get('/healthz'),
      get('/parity/dr'),
      get('/'),
    ]);
    expect([health.status, parity.status, page.status]).toEqual([200, 503, 200]);
    asked += 1;
  }
  expect(asked).toBeGreaterThan(0);
  return acting;
}

function heapMiB(): number {
  setFlagsFromString('--expose-gc');
  runInNewContext('gc')();
  return process.memoryUsage().heapUsed / 2 ** 20;
}
