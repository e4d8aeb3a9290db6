import { readdir, rm, writeFile } from 'node:fs/promises';
import { importedBytes, type Stack, slowImports, startStack } from '@vm-sync/fault-bench';
import { noDifference, until } from '@vm-sync/testkit';
import { expect, test } from 'vitest';
import { recentLoss } from './support/recent.ts';

test.concurrent('Redis wiped in the middle of a run: the schedule comes back, nothing is doubled', async () => {
  const { all, left } = recentLoss();
  await using stack = await startStack({ dr: { proxy: true } });
  const { proxy } = stack.dr;
  proxy.setFault(slowImports(10_000));
  await stack.fill({ primary: all, dr: left });
  stack.watchReady();
  const up = stack.spawn('up');
  await until('a chunk that is being copied', () => importedBytes(proxy) > 0, { everyMs: 10 });
  await stack.redis.flushAll(); // the worker goes on until its lock cannot be renewed
  await up.untilLog(/Redis has been wiped/);
  await stack.untilReady();
  expect(await stack.compareRaw()).toEqual(noDifference);
});

test.concurrent('Redis wiped in the middle of a run and of a check: nothing is planned by what was read before', async () => {
  const { all, left } = recentLoss();
  await using stack = await startStack({ dr: { proxy: true } });
  const { proxy } = stack.dr;
  const slow = slowImports(5_000);
  proxy.setFault(slow);
  await stack.fill({ primary: all, dr: left });
  stack.watchReady();
  const up = stack.spawn('up');
  await until('a chunk that is being copied', () => importedBytes(proxy) > 0, { everyMs: 10 });
  // A check has read what it remembers and waits for the site; then it asks what is being copied.
  proxy.setFault([slow, { kind: 'delay', path: '/metrics', ms: 2_000 }]);
  const before = proxy.requests.length;
  await until(
    'a check that waits',
    () =>
      proxy.requests.slice(before).some(({ path, status }) => path === '/metrics' && status === 0),
    { everyMs: 10 },
  );
  await stack.redis.flushAll();
  proxy.setFault(slow);
  await up.untilLog(/Redis has been wiped/);
  await stack.untilReady();
  expect(await stack.compareRaw()).toEqual(noDifference);
});

test.concurrent('Redis wiped in the middle of a check', async () => {
  const { all } = recentLoss();
  await using stack = await startStack({ dr: { proxy: true } });
  const { proxy } = stack.dr;
  await stack.fill({ primary: all, dr: all });
  const scheduler = stack.spawn('scheduler');
  await stack.untilReady();
  proxy.setFault({ kind: 'delay', path: '/query_range', ms: 1_500 });
  const before = proxy.requests.length;
  await until('a check that waits', () =>
    proxy.requests.slice(before).some(({ path }) => path.endsWith('/query_range')),
  );
  await stack.redis.flushAll();
  proxy.setFault(null);
  await scheduler.untilLog(/Redis has been wiped/);
});

test.concurrent('Redis killed for some seconds in the middle of a run', async () => {
  const { all, left } = recentLoss();
  await using stack = await startStack({ dr: { version: 'newest', proxy: true } });
  const { proxy } = stack.dr;
  proxy.setFault(slowImports(20_000));
  await stack.fill({ primary: all, dr: left });
  stack.watchReady();
  const up = stack.spawn('up');
  await until('a chunk that is being copied', () => importedBytes(proxy) > 0, { everyMs: 10 });
  await stack.redis.kill();
  proxy.setFault(null);
  await up.untilLog(/Redis cannot be reached/);
  await stack.redis.start();
  await stack.untilReady();
  expect(up.ended).toBeUndefined();
  expect(await stack.compareRaw()).toEqual(noDifference);
});

test.concurrent('what is remembered outlives the loss of either place, and says so when both are lost', async () => {
  const { all } = recentLoss({ minutes: 90 });
  await using stack = await startStack({
    env: { QUERY_WINDOW: '1800', FAILBACK_CLEAN_CHECKS: '1' },
  });
  await stack.fill({ primary: all, dr: all });
  const sinceMs = await beginning(stack, /proof begins at/);
  await rm(stack.stateFile);
  expect(await beginning(stack)).toBe(sinceMs); // from Redis
  await stack.redis.flushAll();
  expect(await beginning(stack)).toBe(sinceMs); // from the file

  await writeFile(stack.stateFile, '{"last_check": "2026-');
  expect(await beginning(stack, /is damaged; set aside as/)).toBe(sinceMs); // from Redis again
  expect((await readdir(stack.folder)).filter((name) => name.includes('.damaged-'))).toHaveLength(
    1,
  );

  await stack.rewriteState((state) => {
    const [key, mark] = ['primary-to-dr', state.marks['primary-to-dr']] as const;
    return { ...state, marks: { ...state.marks, [key]: mark && { ...mark, sinceMs: 60_000 } } };
  });
  expect(await beginning(stack)).toBe(60_000);
  await stack.redis.flushAll();
  await rm(stack.stateFile);
  const anew = await beginning(stack, /proof begins at/);
  expect(Date.now() - anew).toBeGreaterThan(1_800_000);
  expect(Date.now() - anew).toBeLessThan(2_000_000);
});

/** Runs the scheduler until READY, and says from where on it proves. */
async function beginning(stack: Stack, says?: RegExp): Promise<number> {
  const from = new Date().toISOString();
  const scheduler = stack.spawn('scheduler');
  if (says) await scheduler.untilLog(says);
  const state = await stack.untilState(
    'READY by this process',
    ({ failback_ready: ready, last_check: at }) => ready && (at ?? '') > from,
  );
  await scheduler.stop();
  const proof = scheduler.lines.some(({ msg }) => /proof begins at/.test(msg));
  expect(proof).toBe(says?.source === 'proof begins at');
  return state.detail.marks['primary-to-dr']?.sinceMs ?? Number.NaN;
}
