/// <reference lib="dom" />
import { join } from 'node:path';
import { formatFinding, formatKit, makeRepairKit } from '@vm-sync/core';
import { type ChunkOrder, openQueue, PREFIX, QUEUES } from '@vm-sync/queue';
import { until } from '@vm-sync/testkit';
import { launchBrowser } from '@vm-sync/testkit/browser';
import { FlowProducer, type Job, Worker } from 'bullmq';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { type Bench, chunkOrder, gapsStatus, openRun, startBench } from './setup.ts';

type Browser = Awaited<ReturnType<typeof launchBrowser>>;

let browser: Browser;
beforeAll(async () => {
  browser = await launchBrowser();
}, 60_000);
afterAll(() => browser.close());

const REASON =
  'repair dr → primary: VM query error: dr (http://192.168.100.143:8428) answered 422: the number of matching timeseries exceeds 10000; asked again in smaller parts, or raise the limit that it names';

const RUN = '20261126T010203-4f1c';
const [SLOW, BAD] = [`chunk-${RUN}-2`, `chunk-${RUN}-3`];

/** As a worker leaves it. */
const KIT = makeRepairKit(
  { text: REASON, site: 'dr' },
  {
    failedMs: Date.now(),
    direction: { source: 'dr', destination: 'primary' },
    counts: { source: { samples: 43_200, why: null }, destination: { samples: 0, why: null } },
    notes: ['set LOCAL_VM_USERNAME and LOCAL_VM_PASSWORD in your shell first'],
    commands: [
      {
        what: 'count on dr',
        line: `curl -fsS -u "$LOCAL_VM_USERNAME:$LOCAL_VM_PASSWORD" 'http://192.168.100.143:8428/api/v1/query_range' --data-urlencode 'query=sum(count_over_time({__name__="f5_virtual_server_clientside_bytes_total",device="bigip-07"}[3600s]))' …`,
      },
    ],
    places: { primary: 'REMOTE', dr: 'LOCAL' },
  },
);

interface Look {
  readonly scheme: 'light' | 'dark';
  readonly width: number;
}

const WIDE: Look = { scheme: 'light', width: 1400 };
const NARROW: Look = { scheme: 'dark', width: 400 };

/** Opens a page and gathers what it complains of. The board asks for a font of Google's, which the policy refuses. */
async function openPage(url: string, { scheme, width }: Look) {
  const page = await browser.newPage({ colorScheme: scheme, viewport: { width, height: 900 } });
  onTestFinished(() => page.close());
  const complaints: string[] = [];
  page.on('pageerror', (error) => complaints.push(String(error)));
  page.on('console', (message) => {
    const expected = message.text().includes('fonts.googleapis.com');
    if (message.type() === 'error' && !expected) complaints.push(message.text());
  });
  await page.goto(url);
  return { page, complaints };
}

type Page = Awaited<ReturnType<typeof openPage>>['page'];

/** With SHOTS=<folder> the pages can be looked at. */
async function keepShot(page: Page, name: string, { scheme, width }: Look): Promise<void> {
  const folder = process.env['SHOTS'];
  if (folder === undefined) return;
  await page.screenshot({ path: join(folder, `${name}-${scheme}-${width}.png`) });
}

/** A run with a chunk in every state: one is being copied until the test ends. */
async function startRun({ redis, store }: Bench) {
  await store.saveStatus(gapsStatus(['primary lacks 18000 samples in 1200 gaps']));
  await store.saveRun(openRun(RUN));
  const connection = { url: redis.url };
  const flow = new FlowProducer({ connection, prefix: PREFIX });
  await flow.add({
    name: 'settle-run',
    queueName: QUEUES.checks,
    data: { runId: RUN },
    opts: { jobId: `settle-${RUN}` },
    children: [1, 2, 3, 4, 5].map((nth) => ({
      name: 'repair-chunk',
      queueName: QUEUES.repairs,
      data: orderOf(nth),
      opts: { jobId: `chunk-${RUN}-${nth}`, attempts: 1 },
    })),
  });
  const { promise: end, resolve } = Promise.withResolvers<void>();
  const worker = new Worker(QUEUES.repairs, (job) => work(job, end), {
    connection,
    prefix: PREFIX,
    concurrency: 2,
  });
  worker.on('error', () => undefined);
  const queue = openQueue('repairs', connection);
  onTestFinished(async () => {
    resolve();
    await Promise.all([worker.close(), queue.close(), flow.close()]);
  });
  await until('a failed chunk', async () => (await queue.getFailedCount()) === 1);
  return queue;
}

function orderOf(nth: number): Omit<ChunkOrder, 'epoch' | 'recovery'> {
  const order = chunkOrder(RUN, Date.now() - (nth - 1) * 600_000);
  return { ...order, chunk: { ...order.chunk, about: `bigip-0${nth + 4}` } };
}

async function work(job: Job, end: Promise<void>): Promise<unknown> {
  if (job.id !== SLOW && job.id !== BAD) return { outcome: 'repaired' };
  if (job.id === BAD && job.attemptsStarted === 1) {
    for (const line of formatKit(KIT)) await job.log(line);
    const error = new Error(REASON);
    error.stack = [REASON, '', ...formatFinding(KIT)].join('\n');
    throw error;
  }
  if (job.id === BAD) return { outcome: 'repaired' };
  const says = 'copying: 1.2 M of 3.4 M samples, 12 MB sent';
  await job.updateProgress({ says, progress: 35 });
  await end;
  return { outcome: 'repaired' };
}

test('the board says what is done, what failed and how to mend it, and retries by its button', async () => {
  const bench = await startBench();
  const queue = await startRun(bench);
  const board = `${bench.dashboard.url}/queues`;
  const { page, complaints } = await openPage(board, WIDE);
  await page.getByText('repairs').first().waitFor();
  await keepShot(page, 'board', WIDE);
  await page.goto(`${board}/queue/repairs/${SLOW}`);
  await page.getByText('dr → primary · bigip-06 ·').first().waitFor();
  await page.getByText('35%').first().waitFor();
  await page.getByRole('tab', { name: 'Progress' }).click();
  await page.getByText('1.2 M of 3.4 M samples').first().waitFor();
  await keepShot(page, 'board-progress', WIDE);
  expect(complaints).toEqual([]);
  for (const look of [NARROW, WIDE]) await looksAtFailure(board, look);
  await page.goto(`${board}/queue/repairs?status=failed`);
  await page.getByText('Retry all').first().click();
  await page.getByRole('button', { name: 'Confirm' }).click();
  await until('the retried chunk', async () => (await queue.getFailedCount()) === 0);
}, 240_000);

async function looksAtFailure(board: string, look: Look): Promise<void> {
  const { page, complaints } = await openPage(`${board}/queue/repairs/${BAD}`, look);
  await page.getByText('flag on dr: -search.maxUniqueTimeseries').first().waitFor();
  await page.getByText('43,200 samples').first().waitFor();
  await page.getByText('settle-run').first().waitFor();
  await keepShot(page, 'board-failed', look);
  await page.getByRole('tab', { name: 'Logs' }).click();
  await page.getByText('curl -fsS -u').first().waitFor();
  await keepShot(page, 'board-log', look);
  const run = page.getByRole('link', { name: 'Run', exact: true });
  expect(await run.getAttribute('href')).toBe(`/runs/${RUN}`);
  expect(complaints).toEqual([]);
}
