import { startStack } from '@vm-sync/fault-bench';
import { noDifference, until } from '@vm-sync/testkit';
import { expect, test } from 'vitest';
import { recentLoss } from './support/recent.ts';

const login = { DASHBOARD_USER: 'anna', DASHBOARD_PASSWORD: 'three in the morning' };
const authorization = `Basic ${Buffer.from('anna:three in the morning').toString('base64')}`;

test.concurrent.each([
  [401, /login refused: check LOCAL_VM_/],
  [400, /the request was refused/],
] as const)(
  'a chunk that failed for good (%i) is retried in Bull Board',
  async (status, reason) => {
    const { all, left } = recentLoss();
    await using stack = await startStack({ role: 'dr', dr: { proxy: true }, env: login });
    await stack.fill({ primary: all, dr: left });
    stack.watchReady();
    stack.dr.proxy.setFault({ kind: 'answer', path: /\/import/, status, body: 'not today\n' });
    stack.spawn('up');
    const [first, ...more] = await until('nothing but failed chunks', async () => {
      const chunks = await stack.chunks();
      return chunks.length > 0 && chunks.every(failed) ? chunks : undefined;
    });
    expect(first?.failedReason).toMatch(
      /^repair primary → dr, \S+Z – \S+Z: VM import error: dr \(http:\/\/127\.0\.0\.1:\d+\) answered 40[01]: not today; /,
    );
    expect(first?.failedReason).toMatch(reason);
    expect(first?.attempts).toBe(1);
    const state = await stack.untilState('the reason', ({ not_ready_because: why }) =>
      why.some((text) => /failed \(retry in Bull Board\)/.test(text)),
    );
    expect(state.failback_ready).toBe(false);

    stack.dr.proxy.setFault(null);
    for (const { id } of [first, ...more].filter((job) => job !== undefined)) {
      const url = `${stack.dashboardUrl}/queues/api/queues/repairs/${id}/retry`;
      expect((await fetch(url, { method: 'PUT' })).status).toBe(401);
      expect((await fetch(url, { method: 'PUT', headers: { authorization } })).status).toBe(204);
    }
    await stack.untilReady();
    expect(await stack.compareRaw()).toEqual(noDifference);
    const { runs } = (await (
      await fetch(`${stack.dashboardUrl}/api/runs`, { headers: { authorization } })
    ).json()) as { runs: { state: string }[] };
    expect(runs.map(({ state: at }) => at)).toEqual(['settled']);
  },
);

/** A job may fail between its reading and the look at its state. */
const failed = (job: { state: string; failedReason: string | undefined }): boolean =>
  job.state === 'failed' && job.failedReason !== undefined;
