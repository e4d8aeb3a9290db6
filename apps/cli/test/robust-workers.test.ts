import {
  importedBytes,
  rest,
  type Stack,
  slowImports,
  startStack,
  untilAllDone,
  type VmSyncProcess,
} from '@vm-sync/fault-bench';
import { openQueue } from '@vm-sync/queue';
import { type FaultProxy, noDifference, until } from '@vm-sync/testkit';
import { expect, onTestFinished, test } from 'vitest';
import { recentLoss } from './support/recent.ts';

/** Long lines: more than a connection holds on its way, so that the worker has not handed over all of a chunk. */
const labels = { description: 'x'.repeat(8_000) };

/** A scheduler and a worker that is in the middle of a chunk, on a destination that keeps every sample it is sent. */
async function inMidChunk(
  work: (stage: { stack: Stack; proxy: FaultProxy; worker: VmSyncProcess }) => Promise<void>,
): Promise<void> {
  const { all, left } = recentLoss({ count: 600, minutes: 30, labels });
  await using stack = await startStack({
    role: 'dr',
    dr: { proxy: true },
    // Every check reads these long labels of both sites.
    env: { CHECK_INTERVAL: '5', FAILBACK_CLEAN_CHECKS: '1' },
  });
  const { proxy } = stack.dr;
  proxy.setFault(slowImports(300_000));
  await stack.fill({ primary: all, dr: left });
  stack.watchReady();
  stack.spawn('scheduler');
  const worker = stack.spawn('worker');
  await until('a chunk that is half copied', () => importedBytes(proxy) > 400_000, {
    deadlineMs: 60_000,
    everyMs: 10,
  });
  await work({ stack, proxy, worker });
  await stack.untilReady();
  expect(await stack.compareRaw()).toEqual(noDifference);
}

test.concurrent('another worker finishes the chunk of a killed one within 30 s', async () => {
  await inMidChunk(async ({ stack, proxy, worker }) => {
    await worker.kill();
    const killedMs = performance.now();
    proxy.setFault(null);
    stack.spawn('worker');
    await untilAllDone(stack, 60_000);
    expect(performance.now() - killedMs).toBeLessThan(30_000);
  });
});

test.concurrent('a worker that was held up for longer than its lock writes nothing more', async () => {
  await inMidChunk(async ({ stack, proxy, worker }) => {
    worker.pause();
    proxy.setFault(null);
    stack.spawn('worker');
    await untilAllDone(stack, 60_000);
    const imported = importedBytes(proxy);
    worker.resume();
    await worker.untilLog(
      /another one may have taken the chunk|lock lost|stopped before it was done/,
    );
    await rest(1_000);
    expect(importedBytes(proxy)).toBe(imported);
  });
});

test.concurrent('a stopped worker hands its chunk back at once', async () => {
  await inMidChunk(async ({ stack, proxy, worker }) => {
    const queue = openQueue('repairs', { url: stack.redis.url });
    onTestFinished(() => queue.close());
    const before = performance.now();
    await worker.stop();
    expect(performance.now() - before).toBeLessThan(5_000);
    expect(worker.ended).toBe('exit code 0');
    const [job] = await queue.getJobs(['waiting', 'prioritized']);
    expect(job).toMatchObject({ attemptsMade: 0 });
    expect(await queue.getActiveCount()).toBe(0);
    proxy.setFault(null);
    stack.spawn('worker');
    await untilAllDone(stack, 60_000);
  });
});
