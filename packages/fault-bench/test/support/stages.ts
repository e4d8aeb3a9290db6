import type { Stage } from '@vm-sync/fault-bench';
import { connect, openQueue } from '@vm-sync/queue';
import { until } from '@vm-sync/testkit';
import type { Row } from './row.ts';

type Act = () => void | Promise<void>;

/** A connection to Redis that bears its loss: that is what is tested. */
export function openChecks({ stack }: Row) {
  const queue = openQueue('checks', { url: stack.redis.url });
  queue.on('error', () => {});
  return queue;
}

/** How each stage is met: by its first request, which waits until `act` is done. To be called while no check runs. */
export const meetings: Readonly<Record<Stage, (row: Row, act: Act) => Promise<void>>> = {
  // Without open work nobody else asks for it.
  observe: ({ stack }, act) => stack.dr.proxy.meet({ path: '/metrics' }, act),
  compare: ({ stack }, act) => stack.dr.proxy.meet({ path: '/api/v1/query_range' }, act),
  // No database is asked: the run stands in Redis, its first chunk is being taken.
  plan: async (row, act) => {
    await using ends = new AsyncDisposableStack();
    const redis = connect(row.stack.redis.url, 'endless');
    redis.on('error', () => {}); // it may be away: that is what is tested
    ends.defer(() => redis.disconnect());
    const runs = () => redis.hlen('{vmsync}:runs');
    const before = await runs();
    await until('a run that is planned', async () => (await runs()) > before, {
      deadlineMs: 120_000,
      everyMs: 2,
    });
    await act();
  },
  export: ({ stack }, act) => stack.primary.proxy.meet({ path: '/api/v1/export' }, act),
  import: ({ stack }, act) => stack.dr.proxy.meet({ path: '/api/v1/import' }, act),
  verify: async ({ stack }, act) => {
    let met: Promise<void> | undefined;
    await stack.dr.proxy.meet({ path: '/api/v1/import' }, () => {
      met = stack.dr.proxy.meet({ path: '/internal/force_flush' }, act);
    });
    await met;
  },
  settle: ({ stack }, act) =>
    stack.dr.proxy.meet({ path: '/internal/resetRollupResultCache' }, act),
  notify: ({ messages }, act) => messages.meet({ method: 'POST' }, act),
};
