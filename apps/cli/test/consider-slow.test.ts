import { importedBytes, rest, type Stack, startStack, untilAllDone } from '@vm-sync/fault-bench';
import { openQueue } from '@vm-sync/queue';
import { type FaultProxy, makeSeries, noDifference, type Series, until } from '@vm-sync/testkit';
import { expect, test } from 'vitest';
import { lastMinuteMs, minute, without } from './support/data.ts';
import { recentLoss } from './support/recent.ts';

/** Twelve metrics that each lack a stretch of their own: as many chunks. */
function manyChunks(): { all: Series[]; left: Series[] } {
  const nowMs = lastMinuteMs();
  const metrics = Array.from({ length: 12 }, (_, at) => {
    const names = [`metric_${at}`];
    const all = makeSeries({
      count: 5,
      names,
      fromMs: nowMs - 60 * minute,
      toMs: nowMs,
      stepMs: minute,
    });
    const fromMs = nowMs - (50 - 3 * at) * minute;
    return { all, left: without(all, fromMs, fromMs + 2 * minute) };
  });
  return { all: metrics.flatMap(({ all }) => all), left: metrics.flatMap(({ left }) => left) };
}

function repairsOf(stack: Stack) {
  const queue = openQueue('repairs', { url: stack.redis.url });
  return { queue, [Symbol.asyncDispose]: () => queue.close() };
}

const paceOf = async (stack: Stack) =>
  JSON.parse((await stack.run('status', ['--json'])).stdout).pace;

/** Requests that the proxy has taken and not yet answered. */
const inFlight = ({ requests }: FaultProxy): number =>
  requests.filter(({ status }) => status === 0).length;

test.concurrent('a destination with answers of one second gets one copy at a time, from however many workers', async () => {
  await using stack = await startStack({
    // Beside the destination: there it repairs at once, and not after three intervals.
    role: 'dr',
    dr: { proxy: true },
    env: { CHECK_INTERVAL: '600', WORKER_CONCURRENCY: '8' },
  });
  const { all, left } = manyChunks();
  await stack.fill({ primary: all, dr: left });
  await using repairs = repairsOf(stack);
  const { queue } = repairs;
  const scheduler = stack.spawn('scheduler');
  await scheduler.untilLog(/full speed: 4 copies at a time/);
  expect((await stack.chunks()).length).toBeGreaterThanOrEqual(12);
  expect((await stack.run('status')).stdout).not.toMatch(/^pace/m);

  stack.dr.proxy.setFault({ kind: 'delay', ms: 1_000 });
  for (let at = 0; at < 2; at++) stack.spawn('worker');
  const active: number[] = [];
  await until(
    'one copy at a time',
    async () => {
      active.push(await queue.getActiveCount());
      return (await queue.getGlobalConcurrency()) === 1 && active.at(-1) === 1;
    },
    { deadlineMs: 90_000, everyMs: 50 },
  );
  expect(Math.max(...active)).toBeLessThanOrEqual(4);
  const waiting = inFlight(stack.dr.proxy);
  const seen: number[] = [];
  for (let at = 0; at < 50; at++) {
    await rest(100);
    seen.push(inFlight(stack.dr.proxy));
    active.push(await queue.getActiveCount());
  }
  // One copy asks one or two things at a time, and the governor one.
  expect(Math.max(...seen), `${seen} after ${waiting}`).toBeLessThanOrEqual(3);
  expect(Math.max(...active.slice(-50))).toBe(1);
  const slow = /dr answers queries in [12]\.\d s \(usually \S+( s)?\): 1 of 4 copies at a time/;
  expect(await paceOf(stack)).toMatchObject({ copies: 1, reason: expect.stringMatching(slow) });
  expect((await stack.run('status')).stdout).toMatch(/^pace +dr answers queries in/m);
  expect(scheduler.lines.filter(({ msg }) => /dr answers queries in/.test(msg))).toHaveLength(1);

  stack.dr.proxy.setFault(null);
  await untilAllDone(stack, 150_000);
  expect(await stack.compareRaw()).toEqual(noDifference);
  await until('full speed again', async () => (await queue.getGlobalConcurrency()) === 4);
});

test.concurrent('a read-only destination stops repairs, told once; they go on by themselves, and no try is used up', async () => {
  await using stack = await startStack({ role: 'dr', dr: { proxy: true }, webhook: true });
  const { all, left } = recentLoss();
  await stack.fill({ primary: all, dr: left });
  const page = await (await fetch(`${stack.dr.vm.url}/metrics`)).text();
  const body = page.replace(/^(vm_storage_is_read_only\{.*\}) 0$/m, '$1 1');
  expect(body).not.toBe(page);
  const refused = 'the storage is in read-only mode; check -storage.minFreeDiskSpaceBytes';
  stack.dr.proxy.setFault([
    { kind: 'answer', status: 200, path: '/metrics', body },
    { kind: 'answer', status: 503, path: '/api/v1/import', body: refused },
    { kind: 'answer', status: 503, path: '/api/v1/import/native', body: refused },
  ]);
  stack.watchReady();
  const up = stack.spawn('up');
  await up.untilLog(/Repairs stopped: dr is read-only, its disk is full/);
  await until('every chunk to wait', async () => {
    const chunks = await stack.chunks();
    return chunks.length > 0 && chunks.every(({ state }) => state === 'delayed');
  });
  const imports = () => stack.dr.proxy.requests.filter(({ path }) => /import/.test(path)).length;
  const before = imports();
  const looks = () => stack.dr.proxy.requests.filter(({ path }) => path === '/api/v1/query').length;
  const looked = looks();
  await until('some more looks', () => looks() >= looked + 6);
  expect(imports()).toBe(before);
  expect((await stack.run('status')).stdout).toMatch(/^repairs stopped +dr is read-only/m);
  expect(await paceOf(stack)).toMatchObject({ stopped: true });
  await using repairs = repairsOf(stack);
  const { queue } = repairs;
  const [job] = await queue.getJobs(['delayed']);
  expect(job).toMatchObject({ attemptsMade: 0 });

  stack.dr.proxy.setFault(null);
  await up.untilLog(/Repairs go on/);
  await stack.untilReady();
  expect(await stack.compareRaw()).toEqual(noDifference);
  const told = (pattern: RegExp) => up.lines.filter(({ msg }) => pattern.test(msg)).length;
  expect([told(/Repairs stopped/), told(/Repairs go on/)]).toEqual([1, 1]);
  const messages = stack.webhook.messages.map((message) => JSON.stringify(message));
  expect(messages.filter((text) => text.includes('Repairs stopped'))).toHaveLength(1);
});

test.concurrent('bytes per second hold for all workers together', async () => {
  const bytesPerS = 400_000;
  // Long lines, so that there is something to send.
  const labels = { description: 'x'.repeat(8_000) };
  const { all, left } = recentLoss({ count: 600, labels });
  await using stack = await startStack({ role: 'dr', dr: { proxy: true } });
  const { proxy } = stack.dr;
  const env = {
    MAX_BYTES_PER_SECOND: `${bytesPerS}`,
    CHECK_INTERVAL: '5',
  };
  await stack.fill({ primary: all, dr: left });
  stack.spawn('scheduler', env);
  for (let at = 0; at < 2; at++) stack.spawn('worker', env);
  await until('the first bytes', () => importedBytes(proxy) > 0, {
    everyMs: 5,
    deadlineMs: 60_000,
  });
  const [startedMs, first] = [performance.now(), importedBytes(proxy)];
  await untilAllDone(stack, 150_000);
  const sent = importedBytes(proxy) - first;
  const tookS = (performance.now() - startedMs) / 1000;
  expect(importedBytes(proxy)).toBeGreaterThan(4_000_000);
  // What was on its way when the clock was started: a part for each copy.
  expect(sent / tookS).toBeLessThanOrEqual(bytesPerS * 1.1);
  expect(await stack.compareRaw()).toEqual(noDifference);
});
