import { setTimeout as sleep } from 'node:timers/promises';
import type { Site } from '@vm-sync/core';
import { type Stack, startStack } from '@vm-sync/fault-bench';
import { type FaultProxy, filterSamples, noDifference, until } from '@vm-sync/testkit';
import { expect, test } from 'vitest';
import { hour, lastMinuteMs, minute, usualSeries } from './support/data.ts';
import { recentLoss } from './support/recent.ts';

const isImport = ({ path }: { path: string }) => path.startsWith('/api/v1/import');
const imports = ({ requests }: FaultProxy): number => requests.filter(isImport).length;

/** Every chunk that failed, by its job's name. */
const failures = async (stack: Stack): Promise<Record<string, string>> =>
  Object.fromEntries(
    (await stack.chunks()).flatMap(({ id, state, failedReason }) =>
      state === 'failed' && failedReason !== undefined ? [[id, failedReason]] : [],
    ),
  );

test.concurrent('an order does not outlive its direction, also when the direction is back and a person retries it', async () => {
  await using stack = await startStack({ dns: true, dr: { proxy: true } });
  const { all, left } = recentLoss();
  await stack.fill({ primary: all, dr: left });
  stack.watchReady();
  const { proxy } = stack.dr;
  const scheduler = stack.spawn('scheduler');
  await scheduler.untilLog(/^Direction primary → dr is confirmed \(epoch 1, /);
  const old = await until('a run that nobody repairs', async () => (await stack.chunks())[0]);
  expect(old.order.epoch).toBe(1);

  await stack.activate('dr');
  await scheduler.untilLog(/^Direction dr → primary is confirmed \(epoch 2, /);
  const worker = stack.spawn('worker');
  const first = await until('the old orders to fail', async () => {
    const failed = await failures(stack);
    return failed[old.id] ? failed : undefined;
  });
  expect(first[old.id]).toMatch(
    /^repair primary → dr, .*: the order primary → dr no longer holds: the direction has changed since it was given \(epoch 1 then, 2 now: dr is active since \S+Z\); nothing was written; leave this job, the next check plans what is missing$/,
  );
  expect(imports(proxy)).toBe(0);
  await worker.stop();

  await stack.activate('primary');
  await scheduler.untilLog(/^Direction primary → dr is confirmed \(epoch 3, /);
  await scheduler.stop();
  const dashboard = stack.spawn('dashboard');
  const retry = `${stack.dashboardUrl}/queues/api/queues/repairs/${old.id}/retry`;
  await until('the retry', async () => (await fetch(retry, { method: 'PUT' })).status === 204);
  const again = stack.spawn('worker');
  const failed = await until('the retried order to fail', async () => {
    const { [old.id]: reason } = await failures(stack);
    return reason?.includes('epoch 1 then, 3 now: primary is active since') && reason;
  });
  expect(failed).toMatch(/nothing was written; leave this job/);
  await Promise.all([again.stop(), dashboard.stop()]);

  stack.spawn('up');
  await stack.untilReady();
  expect(await stack.compareRaw()).toEqual(noDifference);
  const jobs = await stack.chunks();
  const writers = jobs.filter(({ result }) => result?.outcome === 'repaired');
  expect(writers.map(({ order }) => order.epoch)).toEqual(writers.map(() => 3));
  expect(writers.length).toBeGreaterThan(0);
});

test.concurrent('DNS flips while a check compares: what it plans is not written', async () => {
  await using stack = await startStack({ dns: true, dr: { proxy: true } });
  const { all, left } = recentLoss();
  await stack.fill({ primary: all, dr: left });
  stack.watchReady();
  const { proxy } = stack.dr;
  proxy.setFault({ kind: 'delay', ms: 1_000, path: '/api/v1/query_range' });
  const up = stack.spawn('up');
  await up.untilLog(/^Direction primary → dr is confirmed/);
  await stack.activate('dr');
  const run = await up.untilLog(/^started run .*primary → dr$/);
  proxy.setFault(null);
  await stack.untilState(
    'the new direction',
    ({ failback_ready: ready, active_site: active }) => ready && active === 'dr',
  );
  expect(imports(proxy)).toBe(0);
  const planned = (await stack.chunks()).filter(({ order }) => order.runId === run['runId']);
  expect(planned.map(({ state }) => state)).toEqual(planned.map(() => 'failed'));
  expect(planned.length).toBeGreaterThan(0);
});

test.concurrent('ten flips in a row: nothing is written against the record, and the last direction is made right', async () => {
  await using stack = await startStack({
    dns: true,
    primary: { proxy: true },
    dr: { proxy: true },
    // All of it is due: in older history equal losses of both sites within a day look equal.
    env: { WORKER_CONCURRENCY: '1', QUERY_WINDOW: '7200' },
  });
  const nowMs = lastMinuteMs();
  const all = usualSeries(nowMs, 2 * hour);
  const hole = (at: number) => Math.floor((nowMs - at) / (5 * minute));
  await stack.fill({
    primary: filterSamples(all, (at) => hole(at) % 4 !== 1 || hole(at) < 2),
    dr: filterSamples(all, (at) => hole(at) % 4 !== 3 || hole(at) < 2),
  });
  stack.watchReady();
  const wrong: string[] = [];
  const record = recordedFlips(stack);
  const proxies: Record<Site, FaultProxy> = { primary: stack.primary.proxy, dr: stack.dr.proxy };
  const seen: Record<Site, number> = { primary: 0, dr: 0 };
  const watching = setInterval(() => {
    for (const site of ['primary', 'dr'] as const) {
      const arrived = imports(proxies[site]);
      if (arrived > seen[site] && !record.namedOther(site)) {
        wrong.push(`an import into ${site} after ${record.story()}`);
      }
      seen[site] = arrived;
    }
  }, 20);
  try {
    for (const { setFault } of Object.values(proxies)) {
      setFault({ kind: 'delay', ms: 300, path: '/api/v1/import' });
    }
    const up = stack.spawn('up');
    await up.untilLog(/^started run .*primary → dr$/);
    for (let flips = 1; flips <= 10; flips++) {
      await record.flip(flips % 2 === 1 ? 'dr' : 'primary');
      await sleep(flips % 3 === 0 ? 4_000 : 1_500);
    }
    await record.flip('dr');
    for (const { setFault } of Object.values(proxies)) setFault(null);
    await stack.untilState(
      'READY for the last direction',
      ({ failback_ready: ready, active_site: active }) => ready && active === 'dr',
    );
  } finally {
    clearInterval(watching);
  }
  expect(wrong).toEqual([]);
  // Primary, the passive site now, lacks nothing that dr has; and nothing is anywhere twice.
  const difference = await stack.compareRaw();
  expect(difference).toMatchObject({ onlyB: 0 });
  expect({ ...difference, onlyA: 0, examples: [] }).toEqual(noDifference);
});

/** An import may have been on its way, or held up by a busy machine, for so long since its order was read again. */
const ON_ITS_WAY_MS = 1_200;

/** Flips the record, and remembers when it named whom. */
function recordedFlips(stack: Stack) {
  const named: { site: Site; fromMs: number; toMs: number }[] = [
    { site: 'primary', fromMs: 0, toMs: Number.POSITIVE_INFINITY },
  ];
  return {
    async flip(site: Site): Promise<void> {
      await stack.activate(site);
      const nowMs = performance.now();
      const last = named.at(-1);
      if (last) last.toMs = nowMs;
      named.push({ site, fromMs: nowMs, toMs: Number.POSITIVE_INFINITY });
    },
    /** Whether the other site was named a moment ago: only then may something be written into this one. */
    namedOther: (site: Site): boolean =>
      named.some((one) => one.site !== site && one.toMs > performance.now() - ON_ITS_WAY_MS),
    story: () => named.map(({ site, fromMs }) => `${site} at ${Math.round(fromMs)}`).join(', '),
  };
}

test.concurrent('a lease that contradicts the record stops repairs until it agrees; one that has expired does not', async () => {
  await using stack = await startStack({ dns: true, dr: { proxy: true } });
  const { all, left } = recentLoss();
  await stack.fill({ primary: all, dr: left });
  stack.watchReady();
  const { proxy } = stack.dr;
  const longAgo = Math.floor(Date.now() / 1000) - 7_200;
  await stack.activate('primary', { txt: `owner=primary exp=${longAgo}` });
  const scheduler = stack.spawn('scheduler');
  // It has expired: a run is planned all the same.
  await until('a run that nobody repairs yet', async () => (await stack.chunks()).length > 0);

  await stack.activate('primary', { txt: `owner=dr exp=${longAgo}` });
  const contradiction =
    /^nothing is written because the lease contradicts the address \(DNS record monitoring\.test answers 192\.0\.2\.1, the primary site; TXT of monitoring\.test: owner=dr, expired at /;
  const stopped = await stack.untilState('the contradiction', ({ not_ready_because: why }) =>
    why.some((reason) => contradiction.test(reason)),
  );
  expect(stopped).toMatchObject({ active_site: 'primary', failback_ready: false });
  stack.spawn('worker');
  await until('chunks that wait', async () => {
    const chunks = await stack.chunks();
    return chunks.some(({ state, attempts }) => state === 'delayed' && attempts > 0);
  });
  const doctor = await stack.run('doctor');
  expect(doctor.code).toBe(1);
  expect(doctor.stdout).toMatch(
    /^advice witness lease: says dr: TXT of monitoring\.test: owner=dr/m,
  );
  expect(doctor.stdout).toMatch(/^FAULT {2}direction: nothing is written because the lease/m);
  expect(imports(proxy)).toBe(0);

  await stack.activate('primary', { txt: `owner=primary exp=${longAgo}` });
  await stack.untilReady();
  expect(await stack.compareRaw()).toEqual(noDifference);
  // Waiting was no failed try, and the wait is not told again and again.
  const chunks = await stack.chunks();
  for (const { state, log, failedReason } of chunks) {
    expect([state, failedReason]).toEqual(['completed', undefined]);
    expect(log.filter((line) => line.includes('waits:')).length).toBeLessThan(2);
  }
  expect(chunks.length).toBeGreaterThan(0);
  await scheduler.stop();
});
