import { rm, writeFile } from 'node:fs/promises';
import { type Stack, startStack } from '@vm-sync/fault-bench';
import { connect, openQueue, type QueueName, Store } from '@vm-sync/queue';
import { until } from '@vm-sync/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { recentLoss } from './support/recent.ts';

type Redis = ReturnType<typeof connect>;

/** One vm-sync with everything in one process, READY at first; each test breaks what it remembers, and waits for READY. */
describe('what somebody else wrote', () => {
  let stack: Stack;
  let redis: Redis;
  let lines: () => readonly { level: string; msg: string }[];

  beforeAll(async () => {
    const { all } = recentLoss({ count: 5 });
    stack = await startStack({ env: { CHECK_INTERVAL: '1', FAILBACK_CLEAN_CHECKS: '2' } });
    await stack.fill({ primary: all, dr: all });
    redis = connect(stack.redis.url, 'brief');
    const up = stack.spawn('up');
    lines = () => up.lines;
    await stack.untilReady();
  }, 120_000);
  afterAll(async () => {
    redis?.disconnect();
    await stack?.[Symbol.asyncDispose]();
  });

  const told = (pattern: RegExp) => lines().filter(({ msg }) => pattern.test(msg));

  /** READY by a check that began after now, with the process that there was. */
  const untilReadyAgain = async () => {
    const sinceMs = Date.now();
    const store = new Store(redis, () => undefined);
    await until(
      'READY again',
      async () => {
        const status = await store.loadStatus().catch(() => undefined);
        return status?.state.failbackReady && status.atMs - status.tookMs > sinceMs;
      },
      { deadlineMs: 120_000 },
    ).catch((error: Error) => {
      throw new Error(`${error.message}\n${stack.story()}`);
    });
    expect(stack.processes.map(({ ended }) => ended)).toEqual([undefined]);
    expect((await fetch(`${stack.dashboardUrl}/api/status`)).status).toBe(200);
    expect((await fetch(`${stack.dashboardUrl}/`)).status).toBe(200);
  };

  test('in a state file of any damage is set aside, and READY comes again', async () => {
    const whole = await stack.state();
    const detail = JSON.stringify(whole?.detail);
    const damaged: (string | Buffer | undefined)[] = [
      '',
      '{',
      'null',
      `${'['.repeat(100_000)}`,
      JSON.stringify(whole).slice(0, 500),
      `{"detail":${detail.replace('"consecutiveClean":', '"consecutiveClean":"9",":')}}`,
      `{"detail":${detail.replace(/"lastCheckMs":\d+/, '"lastCheckMs":1e999')}}`,
      Buffer.from([0xff, 0xfe, 0, 0]),
    ];
    for (const [at, text] of damaged.entries()) {
      await until(
        'it is set aside',
        async () => {
          if (told(/is damaged; set aside as/).length > at) return true;
          await writeFile(stack.stateFile, text ?? '');
          return false;
        },
        { everyMs: 100 },
      );
    }
    await rm(stack.stateFile, { force: true });
    await untilReadyAgain();
  });

  test('under the names of our keys in Redis is set aside, and READY comes again', async () => {
    const kinds: Record<string, (key: string) => Promise<unknown>> = {
      string: (key) => redis.set(key, 'foreign'),
      hash: (key) => redis.hset(key, { foreign: '1' }),
      list: (key) => redis.lpush(key, 'foreign'),
    };
    const keys = (await redis.keys('{vmsync}:*')).filter((key) => isFixed(key));
    expect(keys.length).toBeGreaterThan(20);
    expect(told(/is not what vm-sync keeps there/)).toEqual([]);
    for (const key of keys) {
      const kind = await redis.type(key);
      await redis.del(key);
      await kinds[kind === 'string' || kind === 'zset' ? 'hash' : 'string']?.(key);
    }
    await redis.lpush('{vmsync}:somebody', 'else');
    await untilReadyAgain();
    const aside = told(/is not what vm-sync keeps there, and is set aside as/).length;
    // What is written whole, whatever stood there, needs no setting aside.
    expect(aside).toBeGreaterThan(15);
    expect(await redis.lrange('{vmsync}:somebody', 0, -1)).toEqual(['else']);
  });

  test('into our queues fails with a sentence, and READY comes again', async () => {
    const wrong: [QueueName, string, unknown][] = [
      ['checks', 'check-gaps', { cause: 'a bug' }],
      ['checks', 'settle-run', 5],
      ['checks', 'settle-run', { runId: '' }],
      ['checks', 'backfill', { action: 'start', id: '__proto__', window: {}, match: [] }],
      ['checks', 'pin', { action: 'pin', pin: { site: 'x' } }],
      ['checks', 'reconcile', null],
      ['checks', 'accept', { site: 'both' }],
      ['checks', 'cancel-run', []],
      ['checks', 'acknowledge', { gaps: [] }],
      ['checks', 'send-mail', { to: 'somebody' }],
      ['repairs', 'repair-chunk', { chunk: 'all' }],
      ['notifications', 'notify', { text: 1 }],
    ];
    const queues = new Map(
      (['checks', 'repairs', 'notifications'] as const).map((name) => [
        name,
        openQueue(name, { url: stack.redis.url }),
      ]),
    );
    try {
      await queues.get('checks')?.pause();
      const ids: [QueueName, string][] = [];
      for (const [queue, name, data] of wrong) {
        const job = await queues.get(queue)?.add(name, data, { attempts: 3 });
        ids.push([queue, job?.id ?? '']);
      }
      const [, broken = ''] = ids[0] ?? [];
      const [, gone = ''] = ids[2] ?? [];
      const [, other = ''] = ids[3] ?? [];
      await redis.hset(`{vmsync}:checks:${broken}`, { data: '{"cause":"sched' });
      await redis.del(`{vmsync}:checks:${gone}`, `{vmsync}:checks:${other}`);
      await redis.set(`{vmsync}:checks:${other}`, 'foreign');
      await queues.get('checks')?.resume();
      await untilReadyAgain();
      const left = ids.filter(([, id]) => ![gone, other].includes(id));
      for (const [queue, id] of left) {
        const job = await until(
          `job ${id} of ${queue} to fail`,
          async () => {
            const found = await queues.get(queue)?.getJob(id);
            return (await found?.getState()) === 'failed' ? found : undefined;
          },
          { deadlineMs: 90_000 },
        );
        expect(job.failedReason).toMatch(/can be read|is known|not a notification/);
        expect(job.attemptsMade).toBe(1);
      }
      expect(await redis.get(`{vmsync}:checks:${other}:damaged`)).toBe('foreign');
    } finally {
      await Promise.all([...queues.values()].map((queue) => queue.close()));
    }
  });
});

/** A key of a name of its own; those of single jobs and runs are many. */
const isFixed = (key: string): boolean =>
  !/:(?:checks|repairs|notifications):(?!id$|meta$|wait$|active$|delayed$|completed$|failed$|marker$|events$|repeat$|repeat:check-gaps$|stalled-check$|prioritized$|pc$|metrics:)|:finished:|:kit:|:session:|:noted:|:damaged$/.test(
    key,
  );
