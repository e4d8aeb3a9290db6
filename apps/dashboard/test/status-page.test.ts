import { openQueue, PREFIX, QUEUES } from '@vm-sync/queue';
import { FlowProducer, type Job, Worker } from 'bullmq';
import { expect, onTestFinished, test } from 'vitest';
import { escapeHtml, html } from '../src/page/html.ts';
import {
  chunkOrder,
  gapsStatus,
  openRun,
  readyStatus,
  startBench,
  unknownStatus,
} from './setup.ts';
import { kitOfFull } from './states.ts';

test('before the first check: unknown, and what to do', async () => {
  const { get } = await startBench();
  const { status, text, headers } = await get('/');
  expect(status).toBe(200);
  expect(headers.get('content-type')).toContain('text/html');
  expect(text).toContain('UNKNOWN');
  expect(text).toContain('no check has been made yet');
  expect(text).toContain('vm-sync scheduler');
  expect(text).not.toContain('undefined');
});

test('ready: says what is proven, and by how many checks', async () => {
  const { get, store } = await startBench();
  await store.saveStatus(readyStatus());
  const { text } = await get('/');
  expect(text).toContain('<title>READY · vm-sync dr</title>');
  expect(text).toContain('primary holds everything that dr has: 4 clean checks in a row');
  expect(text).toContain('DNS record failover.example.com answers 192.168.100.143');
  expect(text).not.toContain('NOT READY');
});

test('not ready: says every reason, and escapes what it is told', async () => {
  const { get, store } = await startBench();
  const hostile = '<script>alert("1")</script>';
  await store.saveStatus(gapsStatus(['primary lacks 18000 samples in 1200 gaps', hostile]));
  await store.addEvent({ atMs: Date.now(), kind: 'x', severity: 'warn', text: hostile });
  const { text } = await get('/');
  expect(text).toContain('<title>NOT READY');
  expect(text).toContain('primary lacks 18000 samples in 1200 gaps');
  expect(text).toContain('&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;');
  expect(text).not.toContain('<script>alert');
});

test('unknown: names the site that did not answer', async () => {
  const { get, store } = await startBench();
  await store.saveStatus(unknownStatus('primary does not answer: connection refused'));
  const { text } = await get('/');
  expect(text).toContain('<title>UNKNOWN');
  expect(text).toContain('primary does not answer: connection refused');
});

test('lists what no repair reaches, and what no repair changed', async () => {
  const { get, store } = await startBench();
  const ready = readyStatus();
  const window = { fromMs: Date.UTC(2026, 9, 1, 10), toMs: Date.UTC(2026, 9, 1, 12) };
  const direction = 'dr-to-primary';
  const tried = { times: 2, firstMs: ready.atMs - 3_600_000, lastMs: ready.atMs };
  const attempt = { direction, window, selectors: 'ab', outcome: 'done', ...tried } as const;
  await store.saveStatus({
    ...ready,
    state: {
      ...ready.state,
      beyondRepair: [
        {
          direction,
          window,
          reason: 'destination-backfill-age',
          sinceMs: ready.atMs,
          samplesMissing: 1_234,
        },
      ],
      stuck: {
        attempted: [
          { ...attempt, samples: 7_777, stuck: true },
          { ...attempt, samples: 8_888, stuck: false },
        ],
      },
    },
  });
  const { text } = await get('/');
  expect(text).toContain('primary holds everything that dr has, except what is beyond repair: ');
  expect(text).toContain('dr → primary, 2026-10-01 10:00–12:00');
  expect(text).toContain('at least 1,234 samples');
  expect(text).toContain('older than primary accepts (-maxBackfillAge)');
  expect(text).toContain('7,777 samples, tried 2 times');
  expect(text).not.toContain('8,888');
  const api = JSON.parse((await get('/api/status')).text);
  expect(api.state.beyondRepair).toMatchObject([{ samplesMissing: 1_234, window }]);
  const metrics = (await get('/metrics')).text;
  expect(metrics).toContain('vmsync_beyond_repair_windows 1');
  expect(metrics).toContain('vmsync_stuck_samples 7777');
});

test('a ready that has grown old is not ready any more', async () => {
  const { get, store } = await startBench();
  const nowMs = Date.now();
  await store.saveStatus({
    ...readyStatus(nowMs),
    atMs: nowMs - 12 * 60_000,
    validUntilMs: nowMs - 1,
  });
  const { text } = await get('/');
  expect(text).toContain('<title>UNKNOWN');
  expect(text).toContain('last check is 12 minutes old');
  expect(text).not.toContain('<title>READY');
});

test('shows the open run with its chunks by state, and the failed chunk with the first line of its error and what to do', async () => {
  const { get, kits, store, redis } = await startBench();
  await store.saveStatus(gapsStatus(['primary lacks samples']));
  await store.saveRun(openRun('run-1'));
  const repairs = openQueue('repairs', { url: redis.url });
  const flow = new FlowProducer({ connection: { url: redis.url }, prefix: PREFIX });
  onTestFinished(async () => {
    await repairs.close();
    await flow.close();
  });
  const chunk = (jobId: string) => ({
    name: 'repair-chunk',
    queueName: QUEUES.repairs,
    data: chunkOrder('run-1'),
    opts: { jobId },
  });
  await flow.add({
    name: 'settle-run',
    queueName: QUEUES.checks,
    data: { runId: 'run-1' },
    children: [chunk('a'), chunk('b'), chunk('c')],
  });
  const worker = new Worker(QUEUES.repairs, null, {
    connection: { url: redis.url },
    prefix: PREFIX,
  });
  onTestFinished(() => worker.close());
  const job = (await worker.getNextJob('token')) as Job;
  await job.moveToFailed(new Error('dr answered 503\nsecond line'), 'token');
  const kit = kitOfFull();
  await kits.save(job.id ?? '', kit);
  const { text } = await get('/');
  expect(kit.advice).not.toBe('');
  expect(text).toContain(`What to do: ${kit.advice.slice(0, 20)}`);
  expect(text).toContain('2 waiting · 1 failed');
  expect(text).toContain(`href="/queues/queue/repairs/${job.id}"`);
  expect(text).toContain('dr answered 503');
  expect(text).not.toContain('second line');
  expect(text).toMatch(/dr → primary · 200 series · .*\d\d:\d\d ?– ?.*\d\d:\d\d/);
});

test('says that repairs are paused', async () => {
  const { get } = await startBench();
  await get('/api/pause', { method: 'POST' });
  expect((await get('/')).text).toContain('paused');
  await get('/api/resume', { method: 'POST' });
  expect((await get('/')).text).not.toContain('paused');
});

test('html escapes values, lists and attributes, and leaves its own alone', () => {
  const inner = html`<b>${'<'}</b>`;
  expect(html`<p title="${'"'}">${[inner, ' & ', 3]}${undefined}${false}</p>`.toString()).toBe(
    '<p title="&quot;"><b>&lt;</b> &amp; 3</p>',
  );
  expect(escapeHtml(`<>&"'`)).toBe('&lt;&gt;&amp;&quot;&#39;');
});
