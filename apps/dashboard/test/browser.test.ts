/// <reference lib="dom" />
import { join } from 'node:path';
import { openQueue, PREFIX, QUEUES } from '@vm-sync/queue';
import { until } from '@vm-sync/testkit';
import { launchBrowser } from '@vm-sync/testkit/browser';
import { FlowProducer, Worker } from 'bullmq';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import {
  type Bench,
  chunkOrder,
  gapsStatus,
  openRun,
  readyStatus,
  startBench,
  unknownStatus,
} from './setup.ts';

type Browser = Awaited<ReturnType<typeof launchBrowser>>;

let browser: Browser;
beforeAll(async () => {
  browser = await launchBrowser();
}, 60_000);
afterAll(() => browser.close());

interface Look {
  readonly scheme: 'light' | 'dark';
  readonly width: number;
}

const LOOKS: Look[] = [
  { scheme: 'light', width: 1400 },
  { scheme: 'dark', width: 1400 },
  { scheme: 'light', width: 400 },
  { scheme: 'dark', width: 400 },
];

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
  await page.screenshot({ path: join(folder, `${name}-${scheme}-${width}.png`), fullPage: true });
}

const isTooWide = (page: Page): Promise<boolean> =>
  page.evaluate(() => document.documentElement.scrollWidth > document.documentElement.clientWidth);

const STATES: Record<string, (bench: Bench) => Promise<void>> = {
  empty: async () => undefined,
  ready: async ({ store }) => {
    await store.saveStatus(readyStatus());
    const run = openRun('run-1', Date.now() - 7_200_000);
    await store.saveRun({
      ...run,
      state: 'settled',
      settledMs: Date.now() - 7_100_000,
      samplesCopied: 18_000,
      bytesCopied: 123_456,
    });
  },
  unknown: ({ store }) =>
    store.saveStatus(unknownStatus('primary (http://192.168.100.144:8428): connection refused')),
  repairing: fillWithWork,
};

/** Gaps, an open run with chunks in every state, and events. */
async function fillWithWork({ redis, store }: Bench): Promise<void> {
  const nowMs = Date.now();
  const reasons = ['primary lacks 18000 samples in 1200 gaps', '0 of 3 clean checks in a row'];
  await store.saveStatus(gapsStatus(reasons));
  await store.saveRun({ ...openRun('run-0', nowMs - 8e6), state: 'superseded' });
  await store.saveRun(openRun('run-1'));
  const events = [
    ['info', '✅ VM-Sync: Sync complete (43,210 samples repaired, dr → primary, in 4m 10s)'],
    ['error', 'dr → primary: a chunk failed for good: 192.168.100.144:8428 answered 503'],
    [
      'warn',
      '⚠️ VM-Sync: 1,200 data gaps detected (18,000 samples missing on primary, dr → primary)',
    ],
  ] as const;
  for (const [severity, text] of events) {
    await store.addEvent({ atMs: nowMs - 60_000, kind: 'x', severity, text });
  }
  await failSomeChunks(redis.url);
}

async function failSomeChunks(redisUrl: string): Promise<void> {
  const connection = { url: redisUrl };
  const flow = new FlowProducer({ connection, prefix: PREFIX });
  const chunk = (jobId: string, attempts: number) => ({
    name: 'repair-chunk',
    queueName: QUEUES.repairs,
    data: chunkOrder('run-1'),
    opts: { jobId, attempts, backoff: { type: 'fixed', delay: 600_000 } },
  });
  await flow.add({
    name: 'settle-run',
    queueName: QUEUES.checks,
    data: { runId: 'run-1' },
    children: ['good', 'bad', 'later', 'wait-1', 'wait-2'].map((id) =>
      chunk(id, id === 'bad' ? 1 : 8),
    ),
  });
  const worker = new Worker(
    QUEUES.repairs,
    async ({ id }) => {
      if (id === 'good') return { outcome: 'repaired' };
      throw new Error('primary (http://192.168.100.144:8428) answered 503 to an import; free disk');
    },
    { connection, prefix: PREFIX },
  );
  worker.on('error', () => undefined);
  const queue = openQueue('repairs', connection);
  await until('a failed chunk', async () => (await queue.getFailedCount()) === 1);
  await worker.close();
  await queue.close();
  await flow.close();
}

describe.each(Object.keys(STATES))('the status page, %s', (state) => {
  test('loads without a complaint, in light and dark, wide and narrow', async () => {
    const bench = await startBench();
    await STATES[state]?.(bench);
    for (const look of LOOKS) {
      const { page, complaints } = await openPage(bench.dashboard.url, look);
      expect(complaints).toEqual([]);
      expect(await isTooWide(page), `too wide for ${look.width}`).toBe(false);
      await keepShot(page, `status-${state}`, look);
    }
  }, 60_000);
});

test('the status page renews itself, and says when it cannot', async () => {
  const bench = await startBench();
  await bench.store.saveStatus(readyStatus());
  const { page } = await openPage(bench.dashboard.url, { scheme: 'light', width: 800 });
  expect(await page.title()).toContain('READY · vm-sync');
  await bench.store.saveStatus(gapsStatus(['a new gap']));
  await page.getByText('a new gap').waitFor({ timeout: 15_000 });
  expect(await page.title()).toContain('NOT READY');
  await bench.redis.kill();
  await page.getByText('Redis does not answer').waitFor({ timeout: 15_000 });
  expect(await page.title()).not.toContain('READY');
  await bench.redis.start();
  await page.getByText('no check has been made yet').waitFor({ timeout: 15_000 });
  await bench.dashboard.close();
  await page.getByText('The dashboard does not answer').waitFor({ timeout: 15_000 });
  expect(await page.title()).toBe('No answer · vm-sync');
}, 90_000);
