import { AuditStore, CHUNK_OPTIONS, connect, openQueue, PREFIX, QUEUES } from '@vm-sync/queue';
import { until } from '@vm-sync/testkit';
import { hostileScript, launchBrowser, tracesOfScript } from '@vm-sync/testkit/browser';
import { Worker } from 'bullmq';
import { expect, onTestFinished, test } from 'vitest';
import { openPage } from './look.ts';
import { type Bench, chunkOrder, gapsStatus, openRun, startBench } from './setup.ts';

const HOSTILE = `"'></title></script><script>${hostileScript}</script><img src=x onerror='${hostileScript}'>`;
const LONG = `${HOSTILE} ${'endless '.repeat(12_500)}`;
const RUN = `20261126T010203-<b onclick=${hostileScript}>`;
const WIDE = { scheme: 'light', width: 1400 } as const;

/** What whoever may write to Redis, or a database that answers so, can have the pages show. */
async function forge({ redis, store, gapMaps, kits }: Bench): Promise<void> {
  const nowMs = Date.now();
  const status = gapsStatus([HOSTILE, LONG], nowMs);
  const state = { ...status.state, lastError: LONG };
  await store.saveStatus({ ...status, activeReason: HOSTILE, state });
  await store.saveRun({
    ...openRun(RUN, nowMs),
    cause: { checkId: HOSTILE, reason: 'operator', who: HOSTILE },
  });
  await gapMaps.save({
    before: null,
    now: {
      ...{ atMs: nowMs, direction: 'dr-to-primary', label: 'instance', basis: 'group' },
      ...{ fromMs: nowMs - 3_600_000, columnMs: 1_800_000, columns: 2 },
      rows: [
        { group: LONG, expected: [9, 9], missing: [9, 0] },
        { group: `javascript:${HOSTILE}`, expected: [9, 9], missing: [0, 9] },
      ],
    },
    checkedMs: nowMs,
    sinceMs: nowMs,
  });
  const client = connect(redis.url, 'brief');
  onTestFinished(() => client.disconnect());
  await new AuditStore(client).add({
    ...{ atMs: nowMs, who: HOSTILE, by: 'page', action: HOSTILE, what: LONG, result: HOSTILE },
  });
  const queue = openQueue('repairs', { url: redis.url });
  onTestFinished(() => queue.close());
  const order = chunkOrder(RUN, nowMs);
  const chunk = {
    ...order.chunk,
    about: `<i onclick=${hostileScript}>`,
    selectors: [`{a="${LONG.slice(0, 900)}"}`],
  };
  const options = { ...CHUNK_OPTIONS, attempts: 1 };
  await queue.add('repair-chunk', { ...order, chunk }, { ...options, jobId: `chunk-${RUN}-1` });
  await queue.add(
    HOSTILE,
    { [HOSTILE]: LONG, url: `javascript:${hostileScript}` },
    { ...options, jobId: 'odd' },
  );
  const worker = new Worker(
    QUEUES.repairs,
    async (job) => {
      await job.log(LONG);
      await job.updateProgress({ says: HOSTILE, progress: 35 });
      const error = new Error(LONG);
      error.stack = `${LONG}\n\n${HOSTILE}`;
      throw error;
    },
    { connection: { url: redis.url }, prefix: PREFIX },
  );
  worker.on('error', () => undefined);
  await until('both failures', async () => (await queue.getFailedCount()) === 2);
  await worker.close();
  expect(await kits.load('odd')).toBeUndefined();
}

test('forged values, and errors of 100,000 characters, are shown as text by every page and by the board', async () => {
  const bench = await startBench();
  await forge(bench);
  const browser = await launchBrowser();
  onTestFinished(() => browser.close());
  const { url } = bench.dashboard;
  const { page, complaints, hosts } = await openPage(browser, url, WIDE);
  const board = `${url}/queues/queue/repairs`;
  const pages: [string, RegExp][] = [
    [`${url}/`, /NOT READY/],
    [`${url}/runs`, /<b onclick=pwned/],
    [`${url}/runs/${encodeURIComponent(RUN)}`, /<script>pwned/],
    [`${url}/runs/${encodeURIComponent(HOSTILE)}`, /no run|not known|there is no/i],
    [`${url}/actions`, /./],
    [`${url}/audit`, /<script>pwned/],
    [`${board}?status=failed`, /<script>pwned/],
    [`${board}/odd`, /<script>pwned/],
    [`${board}/${encodeURIComponent(`chunk-${RUN}-1`)}`, /<i onclick=pwned/],
  ];
  for (const [address, shows] of pages) {
    await page.goto(address);
    await page.getByText(shows).first().waitFor({ state: 'attached' });
    expect([address, await tracesOfScript(page)]).toEqual([address, []]);
  }
  await page.getByRole('tab', { name: 'Logs' }).click();
  await page.getByText('endless endless').first().waitFor();
  expect(await tracesOfScript(page)).toEqual([]);
  expect(complaints.filter((text) => !/404/.test(text))).toEqual([]);
  expect([...hosts].filter((host) => host !== 'fonts.googleapis.com')).toEqual([new URL(url).host]);
}, 120_000);

test('nothing private is left in a cache: pages, APIs and the board', async () => {
  const { get, store } = await startBench();
  await store.saveStatus(gapsStatus(['primary lacks 7 samples']));
  const paths = ['/', '/runs', '/audit', '/api/status', '/metrics', '/parity/dr', '/nowhere'];
  for (const path of [...paths, '/queues', '/queues/queue/repairs', '/queues/api/queues']) {
    const { headers } = await get(path);
    expect([path, headers.get('cache-control')]).toEqual([path, 'no-store']);
  }
  const { text } = await get('/queues');
  const script = /src="([^"]*\.js)"/.exec(text)?.[1] ?? '';
  const { status, headers } = await get(new URL(script, 'http://x/queues/').pathname);
  expect([status, headers.get('cache-control')]).toEqual([200, 'public, max-age=0']);
});
