import { EMPTY_STATE } from '@vm-sync/core';
import { type Stack, startStack } from '@vm-sync/fault-bench';
import { connect, Store } from '@vm-sync/queue';
import { until } from '@vm-sync/testkit';
import { expect, test } from 'vitest';
import { lastMinuteMs, minute } from './support/data.ts';
import { recentLoss } from './support/recent.ts';

type Run = {
  id: string;
  state: string;
  chunks: number;
  samplesCopied: number;
  cause: { reason: string } | null;
};
type Line = { who: string; by: string; action: string; what: string; result: string };

test.concurrent('a run is cancelled, its successor fails and is retried, a stuck gap is acknowledged; READY stays withheld', async () => {
  await using stack = await startStack({ role: 'dr', dr: { proxy: true } });
  const { all, left } = recentLoss({ count: 10 });
  await stack.fill({ primary: all, dr: left });
  stack.dr.proxy.setFault({ kind: 'answer', path: /\/import/, status: 400, body: 'not today\n' });
  stack.watchReady();
  await rememberStuck(stack);
  const get = async (path: string) => (await fetch(`${stack.dashboardUrl}${path}`)).json();
  const post = async (path: string, body: object = {}) => {
    const response = await fetch(`${stack.dashboardUrl}${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    return [response.status, await response.json()];
  };
  const runs = async () => ((await get('/api/runs')) as { runs: Run[] }).runs;

  expect((await stack.run('pause')).code).toBe(0);
  const up = stack.spawn('up');
  const begun = await up.untilLog(/^started run .*primary → dr$/);
  const runId = String(begun['runId']);
  expect(await post(`/api/runs/${runId}/cancel`)).toEqual([202, { id: runId, change: 'cancel' }]);
  await up.untilLog(/^Run \S+ \(primary → dr\) cancelled by local/);
  // Nothing is planned in its place as long as its chunks cannot end.
  await until('a check after it', async () => {
    const asked = up.lines.findIndex(({ msg }) => msg.startsWith('Run '));
    return up.lines.slice(asked).some(({ msg }) => msg.startsWith('check (schedule)'));
  });
  expect((await runs()).map(({ id, state }) => [id, state])).toEqual([[runId, 'cancelled']]);
  expect((await post('/api/resume'))[0]).toBe(200);
  const next = await until('another run', async () =>
    (await runs()).find(({ id }) => id !== runId),
  );
  expect(next.cause).toMatchObject({ reason: expect.stringMatching(/operator|schedule|confirm/) });
  const cancelled = (await runs()).find(({ id }) => id === runId);
  expect(cancelled).toMatchObject({ state: 'cancelled', samplesCopied: 0 });

  const failed = async () => (await stack.chunks()).filter(({ state }) => state === 'failed');
  const before = await until('a failed chunk', async () => {
    const chunks = await failed();
    return chunks.length === next.chunks ? chunks : undefined;
  });
  expect(await post('/api/chunks/retry', { error: 'another' })).toMatchObject([409, {}]);
  const retry = { run: next.id, error: 'Not Today' };
  expect(await post('/api/chunks/retry', retry)).toEqual([200, { retried: before.length }]);
  await until('another try', async () => {
    const chunks = await failed();
    return (
      chunks.length === next.chunks &&
      before.every((one) => chunks.some((now) => now.id === one.id && now.attempts > one.attempts))
    );
  });

  const { stuck } = (await get('/api/stuck')) as { stuck: { gap: string }[] };
  const names = stuck.map(({ gap }) => gap);
  expect(names).toHaveLength(1);
  expect(await post('/api/acknowledge', { gap: 'all' })).toEqual([202, { acknowledged: names }]);
  const after = await stack.untilState(
    'the reason that names the person',
    ({ not_ready_because }) =>
      not_ready_because.some((why) =>
        /^stuck since .*; acknowledged by local \(no login\)$/.test(why),
      ),
  );
  expect(after.failback_ready).toBe(false);
  expect(after.detail.stuck.attempted).toMatchObject([
    { acknowledged: { who: 'local (no login)' } },
  ]);
  expect(up.lines.filter(({ msg }) => msg.includes('Gap stuck'))).toEqual([]);

  const { lines } = (await get('/api/audit')) as { lines: Line[] };
  expect(lines.map(({ by, action, result }) => [by, action, result])).toEqual([
    ['api', 'acknowledge', 'done'],
    ['api', 'retry', 'done'],
    ['api', 'retry', expect.stringContaining('no failed chunk fits')],
    ['api', 'resume', 'done'],
    ['api', 'cancel-run', 'done'],
    ['command', 'pause', 'done'],
  ]);
  expect(lines.at(-1)?.who).not.toBe('');
});

/** As after a repair of the loss that changed nothing: to get there takes minutes. */
async function rememberStuck({ redis }: Stack): Promise<void> {
  const nowMs = lastMinuteMs();
  const client = connect(redis.url, 'brief');
  const stuck = {
    direction: 'primary-to-dr',
    window: { fromMs: nowMs - 35 * minute, toMs: nowMs - 25 * minute },
    selectors: 'ab',
    samples: 100,
    times: 1,
    firstMs: nowMs,
    lastMs: nowMs,
    outcome: 'done',
    stuck: true,
  } as const;
  const state = { ...EMPTY_STATE, stuck: { attempted: [stuck] } };
  await new Store(client, () => undefined).saveState(state);
  client.disconnect();
}
