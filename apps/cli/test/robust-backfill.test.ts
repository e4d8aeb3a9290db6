import {
  type ChunkJob,
  importedBytes,
  type Stack,
  slowImports,
  startStack,
} from '@vm-sync/fault-bench';
import { type FaultProxy, makeSeries, noDifference, type Series, until } from '@vm-sync/testkit';
import { expect, test } from 'vitest';
import { lastMinuteMs, minute, without } from './support/data.ts';

const chunksWanted = 12;
const seriesEach = 5;
const lostEach = 3 * seriesEach;

/** Metrics that each lack a stretch of their own, older than what checks look at: as many chunks. */
function manyOldHoles(nowMs: number): { all: Series[]; left: Series[] } {
  const holes = Array.from({ length: chunksWanted }, (_, at) => {
    const all = makeSeries({
      count: seriesEach,
      names: [`metric_${at}`],
      fromMs: nowMs - 180 * minute,
      toMs: nowMs,
      stepMs: minute,
      // Long lines take their time on a slow line.
      labels: { description: 'x'.repeat(8_000) },
    });
    const fromMs = nowMs - (160 - 4 * at) * minute;
    return { all, left: without(all, fromMs, fromMs + 3 * minute) };
  });
  return { all: holes.flatMap(({ all }) => all), left: holes.flatMap(({ left }) => left) };
}

const backfills = async (stack: Stack) =>
  JSON.parse((await stack.run('backfill', ['list', '--json'])).stdout).backfills;

const isDone = ({ state }: ChunkJob): boolean => state === 'completed';

interface Stage {
  readonly stack: Stack;
  readonly proxy: FaultProxy;
  readonly end: () => Promise<void>;
}

/** A backfill of which some chunks are done, one is being copied, and the others wait; copied one at a time. */
async function inMidBackfill(act: (stage: Stage) => Promise<void>): Promise<void> {
  const nowMs = lastMinuteMs();
  const { all, left } = manyOldHoles(nowMs);
  await using stack = await startStack({
    role: 'dr',
    dr: { proxy: true },
    appendonly: true,
    env: { QUERY_WINDOW: '1800', MAX_COPIES: '1', WORKER_CONCURRENCY: '1' },
  });
  const { proxy } = stack.dr;
  proxy.setFault(slowImports(40_000));
  await stack.fill({ primary: all, dr: left });
  stack.watchReady();
  const scheduler = stack.spawn('scheduler');
  const worker = stack.spawn('worker');
  await stack.untilState('a check', (state) => state.active_site === 'primary');
  const range = [nowMs - 170 * minute, nowMs - 100 * minute].map((at) =>
    new Date(at).toISOString(),
  );
  const [from = '', to = ''] = range;
  expect(await stack.run('backfill', ['--from', from, '--to', to])).toMatchObject({ code: 0 });
  await until(
    'a backfill that is half done',
    async () => {
      const done = (await stack.chunks()).filter(isDone).length;
      const before = importedBytes(proxy);
      return done >= 3 && until('bytes on their way', () => importedBytes(proxy) > before);
    },
    { deadlineMs: 90_000 },
  );
  const end = async () => {
    await Promise.all([scheduler.kill(), worker.kill()]);
  };
  await act({ stack, proxy, end });
  await stack.untilState('its end', ({ detail }) => detail.backfills[0]?.state === 'done');
  expect((await backfills(stack))[0].backfill.state).toBe('done');
  expect(await stack.compareRaw()).toEqual(noDifference);
}

test.concurrent('every process and Redis killed in the middle of a backfill: it goes on where it was', async () => {
  await inMidBackfill(async ({ stack, proxy, end }) => {
    const before = await stack.chunks();
    await Promise.all([end(), stack.redis.kill()]);
    expect(before.filter(isDone).length).toBeLessThan(chunksWanted);
    proxy.setFault(null);
    await stack.redis.start();
    for (const name of ['scheduler', 'worker'] as const) stack.spawn(name);
    await until('the rest', async () => (await stack.chunks()).every(isDone), {
      deadlineMs: 90_000,
    });
    // The same run: nothing was planned a second time, and what was done was not done again.
    const after = await stack.chunks();
    expect(after.map(({ id }) => id).sort()).toEqual(before.map(({ id }) => id).sort());
    const copied = after.reduce((sum, { result }) => sum + (result?.samples ?? 0), 0);
    expect(copied).toBeLessThanOrEqual(chunksWanted * lostEach);
    expect(copied).toBeGreaterThanOrEqual((chunksWanted - 1) * lostEach);
  });
});

test.concurrent('Redis wiped in the middle of a backfill: planned again from what is really missing', async () => {
  await inMidBackfill(async ({ stack, proxy }) => {
    const [scheduler] = stack.processes;
    await stack.redis.flushAll();
    await scheduler?.untilLog(/Redis has been wiped/);
    proxy.setFault(null);
    await until('a run of what is left', async () => (await stack.chunks()).length > 0, {
      deadlineMs: 90_000,
    });
    const again = await stack.chunks();
    const planned = again.reduce((sum, { order }) => sum + order.chunk.samples, 0);
    expect(planned).toBeLessThan(chunksWanted * lostEach);
    expect((await backfills(stack))[0].backfill.state).toBe('open');
  });
});

test.concurrent('a backfill that a database refuses to look at is cancelled with the reason, and checks go on', async () => {
  await using stack = await startStack({ role: 'dr', env: { QUERY_WINDOW: '1800' } });
  const nowMs = lastMinuteMs();
  const { all } = manyOldHoles(nowMs);
  await stack.fill({ primary: all, dr: all });
  stack.watchReady();
  const scheduler = stack.spawn('scheduler');
  await stack.untilReady();
  // A regular expression that we read, and VictoriaMetrics does not.
  const args = ['--from', '170m', '--to', '100m', '--match', '{instance=~"a[^]"}'];
  expect(await stack.run('backfill', args)).toMatchObject({ code: 0 });
  const told = await scheduler.untilLog(/cancelled, a database refuses to look at it/);
  expect(told.msg).toMatch(/VM query error: (?:primary|dr) \(http.*answered 4\d\d/);
  expect((await backfills(stack))[0].backfill.state).toBe('cancelled');
  const checkedMs = Date.parse((await stack.state())?.last_check ?? '');
  await stack.untilState(
    'clean checks after it',
    ({ last_check: at, failback_ready: ready, last_error: error }) =>
      Date.parse(at ?? '') > checkedMs + 1_000 && ready && error === null,
  );
});
