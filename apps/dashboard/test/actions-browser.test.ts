/// <reference lib="dom" />
import { join } from 'node:path';
import { type Attempt, EMPTY_STATE, startBackfill } from '@vm-sync/core';
import {
  AuditStore,
  CHUNK_OPTIONS,
  chunkId,
  connect,
  openQueue,
  PREFIX,
  QUEUES,
} from '@vm-sync/queue';
import { until } from '@vm-sync/testkit';
import { launchBrowser } from '@vm-sync/testkit/browser';
import { Worker } from 'bullmq';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { inaccessible, watchPage } from './look.ts';
import { type Bench, chunkOrder, gapsStatus, openRun, startBench } from './setup.ts';

type Browser = Awaited<ReturnType<typeof launchBrowser>>;

let browser: Browser;
beforeAll(async () => {
  browser = await launchBrowser();
}, 60_000);
afterAll(() => browser.close());

async function openPage(options: Parameters<Browser['newPage']>[0]) {
  const page = await browser.newPage(options);
  onTestFinished(() => page.close());
  return { page, ...watchPage(page) };
}

const hourMs = 3_600_000;

/** A run with chunks in every state, stuck gaps, a backfill, and what persons did. */
async function fillWithWork(bench: Bench) {
  const nowMs = Date.now();
  const { store, redis } = bench;
  const status = gapsStatus(['primary lacks 18000 samples in 1200 gaps']);
  const gap: Attempt = {
    direction: 'dr-to-primary',
    window: { fromMs: nowMs - 9 * hourMs, toMs: nowMs - 8 * hourMs },
    selectors: 'ab',
    samples: 7_777,
    times: 2,
    firstMs: nowMs - hourMs,
    lastMs: nowMs,
    outcome: 'done',
    stuck: true,
  };
  const attempted = [
    gap,
    { ...gap, selectors: 'cd', acknowledged: { who: 'bert', atMs: nowMs - 60_000 } },
  ];
  const window = { fromMs: nowMs - 80 * hourMs, toMs: nowMs - 70 * hourMs };
  const asked = { id: '20261124T001500-3fa2', window, match: [], requestedMs: nowMs - 90_000 };
  const state = {
    ...startBackfill({ ...EMPTY_STATE, activeSite: 'dr' }, asked).state,
    marks: status.state.marks,
    stuck: { attempted },
  };
  await store.saveState(state);
  await store.saveStatus({ ...status, state: { ...status.state, stuck: { attempted } } });
  const run = openRun('20261124T001500-ab12', nowMs);
  await store.saveRun({
    ...run,
    chunks: 40,
    cause: { checkId: 'repeat:check-gaps:1', reason: 'schedule', who: null },
  });
  await store.saveRun({
    ...openRun('20261123T091500-ff00', nowMs - 8e7),
    state: 'settled',
    settledMs: nowMs - 7.9e7,
    samplesCopied: 18_000,
    bytesCopied: 123_456,
  });
  const queue = openQueue('repairs', { url: redis.url });
  onTestFinished(() => queue.close());
  const add = (number: number, attempts: number) =>
    queue.add('repair-chunk', chunkOrder(run.id), {
      ...CHUNK_OPTIONS,
      attempts,
      backoff: { type: 'fixed', delay: 600_000 },
      jobId: chunkId(run.id, number),
    });
  await add(1, 1);
  await add(2, 8);
  const worker = new Worker(
    QUEUES.repairs,
    async () => {
      throw new Error('primary (http://192.168.100.144:8428) answered 503 to an import; free disk');
    },
    { connection: { url: redis.url }, prefix: PREFIX },
  );
  worker.on('error', () => undefined);
  await until('a failed chunk', async () => (await queue.getFailedCount()) === 1);
  await until('a delayed chunk', async () => (await queue.getDelayedCount()) === 1);
  await worker.close();
  for (let number = 3; number <= 18; number++) await add(number, 8);
  for (let number = 19; number <= 40; number++) {
    const agoMs = 80_000 - Math.round((number - 19) ** 1.4 * 1_000);
    const done = { planned: 450, samples: 440, bytes: 9_000 };
    await store.countChunk(run.id, chunkId(run.id, number), { atMs: nowMs - agoMs, ...done });
  }
  const client = connect(redis.url, 'brief');
  onTestFinished(() => client.disconnect());
  const audit = new AuditStore(client);
  const line = { who: 'anna', by: 'page', result: 'done' } as const;
  await audit.add({ ...line, atMs: nowMs - 80_000, action: 'pause', what: '' });
  await audit.add({ ...line, atMs: nowMs - 70_000, action: 'resume', what: '', by: 'command' });
  await audit.add({
    ...line,
    atMs: nowMs - 60_000,
    action: 'backfill',
    what: 'from 72h, to 60h, match {job="node"}',
    by: 'api',
    result: 'no direction is known yet, so nothing can be backfilled: vm-sync status says why',
  });
  return { queue, run };
}

test('every page loads without a complaint, is accessible, and is not too wide for a phone', async () => {
  const bench = await startBench();
  const { run } = await fillWithWork(bench);
  const pages = {
    status: '/',
    actions: '/actions?done=check',
    'confirm-cancel': `/actions/cancel-run?run=${run.id}`,
    'confirm-retry': '/actions/retry',
    refused: '/actions/pin?site=dr&for=8d',
    run: `/runs/${run.id}`,
    'run-settled': '/runs/20261123T091500-ff00',
    runs: '/runs',
    audit: '/audit',
  };
  // With SHOTS=<folder> the pages can be looked at, in every look; without it the narrowest will do.
  const folder = process.env['SHOTS'];
  const widths = folder === undefined ? [400] : [400, 1400];
  const schemes = folder === undefined ? (['light'] as const) : (['light', 'dark'] as const);
  for (const width of widths) {
    for (const colorScheme of schemes) {
      const { page, complaints } = await openPage({
        colorScheme,
        viewport: { width, height: 900 },
      });
      for (const [name, path] of Object.entries(pages)) {
        await page.goto(`${bench.dashboard.url}${path}`);
        const isTooWide = await page.evaluate(
          () => document.documentElement.scrollWidth > document.documentElement.clientWidth,
        );
        expect([name, width, isTooWide]).toEqual([name, width, false]);
        expect([name, await inaccessible(page)]).toEqual([name, []]);
        if (folder === undefined) continue;
        const file = join(folder, `${name}-${colorScheme}-${width}.png`);
        await page.screenshot({ path: file, fullPage: true });
      }
      // A refused page is meant to be answered with 400.
      expect(complaints.filter((text) => !text.includes('400 (Bad Request)'))).toEqual([]);
    }
  }
}, 60_000);

test('an operator acts by the pages alone, without script', async () => {
  const bench = await startBench();
  const { queue, run } = await fillWithWork(bench);
  const { page } = await openPage({ javaScriptEnabled: false });
  const { url } = bench.dashboard;

  await page.goto(url);
  await page.getByRole('link', { name: 'Pause repairs' }).click();
  await page.getByRole('heading', { name: 'Pause repairs?' }).waitFor();
  expect(await queue.isPaused()).toBe(false);
  await page.getByRole('button', { name: 'Pause repairs' }).press('Enter');
  await page.getByRole('status').filter({ hasText: 'Repairs are paused.' }).waitFor();
  expect(await queue.isPaused()).toBe(true);

  await page.getByLabel('The active site is').selectOption('dr');
  await page.getByLabel('For (a week at the most)').fill('2 fortnights');
  await page.getByRole('button', { name: 'Pin', exact: true }).click();
  await page.getByRole('alert').filter({ hasText: 'expected a duration' }).waitFor();
  await page.getByRole('link', { name: 'Back to the actions' }).click();
  await page.getByLabel('For (a week at the most)').fill('2h');
  await page.getByLabel('The active site is').selectOption('dr');
  await page.getByLabel('For (a week at the most)').press('Enter');
  await page.getByRole('button', { name: 'Pin to dr' }).click();
  await page.getByText('The pin is asked for').waitFor();

  await page.getByRole('link', { name: 'Acknowledge', exact: true }).click();
  await page.getByRole('button', { name: 'Acknowledge' }).click();
  await page.getByText('The acknowledgement is noted').waitFor();

  await page.goto(`${url}/runs/${run.id}`);
  await page.getByRole('link', { name: 'Retry 1 failed chunk' }).click();
  await page.getByRole('button', { name: 'Retry' }).click();
  await page.getByText('The failed chunks are tried again.').waitFor();
  expect(await queue.getFailedCount()).toBe(0);

  await page.goto(`${url}/runs/${run.id}`);
  await page.getByRole('link', { name: 'Cancel this run' }).click();
  await page.getByRole('link', { name: 'No, back' }).click();
  await page.goto(`${url}/actions/cancel-run?run=${run.id}`);
  await page.getByRole('button', { name: 'Cancel this run' }).click();
  await page.getByText('The end of this run is asked for').waitFor();
  expect(page.url()).toBe(`${url}/runs/${run.id}?done=cancel-run`);

  await page.getByRole('link', { name: 'Audit' }).click();
  const actions = await page.locator('.audit .act').allTextContents();
  expect(actions.slice(0, 5)).toEqual(['cancel-run', 'retry', 'acknowledge', 'pin', 'pause']);
  const checks = openQueue('checks', { url: bench.redis.url });
  onTestFinished(() => checks.close());
  const names = (await checks.getJobs()).map(({ name }) => name).sort();
  expect(names).toEqual(['acknowledge', 'cancel-run', 'pin']);
}, 60_000);

test('the page of an open run renews itself', async () => {
  const bench = await startBench();
  await bench.store.saveRun({ ...openRun('run-1'), chunks: 2 });
  const { page, complaints } = await openPage({});
  await page.goto(`${bench.dashboard.url}/runs/run-1`);
  await page.getByText('No chunk is done yet.').waitFor();
  const done = { planned: 9_000, samples: 9_000, bytes: 1 };
  await bench.store.countChunk('run-1', chunkId('run-1', 1), { atMs: Date.now(), ...done });
  await page
    .getByRole('img', { name: /^9,000 of 18,000 samples done/ })
    .waitFor({ timeout: 15_000 });
  expect(await page.title()).toMatch(/^50 % · Run run-1/);
  expect(complaints).toEqual([]);
}, 60_000);
