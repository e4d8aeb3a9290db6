import { startStack } from '@vm-sync/fault-bench';
import { noDifference } from '@vm-sync/testkit';
import { expect, test } from 'vitest';
import { hour, lastMinuteMs, minute, usualSeries, without } from './support/data.ts';

async function stackWithGap(env: Record<string, string> = {}) {
  const stack = await startStack({ role: 'dr', primary: { proxy: true }, env });
  const nowMs = lastMinuteMs();
  const all = usualSeries(nowMs, 2 * hour);
  await stack.fill({
    primary: all,
    dr: without(all, nowMs - 30 * minute, nowMs - 25 * minute),
  });
  return stack;
}

test.concurrent("the source's queries fail after a real gap: unknown, never clean", async () => {
  // Small steps: READY comes when the failures' time has settled, and the test should not wait for minutes.
  await using stack = await stackWithGap({ QUERY_STEP: '30', SETTLE_SECONDS: '30' });
  let mended = false;
  stack.watchReady(() => !mended && 'the gap has not been seen yet');
  const path = '/api/v1/query_range';
  stack.primary.proxy.setFault({ kind: 'answer', status: 500, path, body: 'out of order' });
  stack.spawn('up');
  const faults = [
    [{ kind: 'answer', status: 500, path, body: 'out of order' }, 'answered 500: out of order'],
    [{ kind: 'answer', status: 503, path, body: 'busy' }, 'answered 503: busy'],
    [{ kind: 'cut', afterBytes: 30, end: 'reset', path }, 'broke the connection off'],
    // An answer without an error that holds no series: nothing proves that there are none.
    [{ kind: 'cut', afterBytes: 30, end: 'clean', path }, 'answered'],
    [{ kind: 'answer', status: 200, path, body: '<html>' }, 'check that the URL leads to'],
  ] as const;
  for (const [fault, words] of faults) {
    stack.primary.proxy.setFault(fault);
    const state = await stack.untilState(`unknown: ${words}`, ({ last_error: error }) =>
      Boolean(error?.includes(words)),
    );
    expect(state).toMatchObject({ failback_ready: false, consecutive_clean: 0, gaps_detected: 0 });
    expect(state.last_error).toMatch(/^VM query error: primary \(http/);
    expect(state.not_ready_because).toEqual([state.last_error]);
  }
  expect((await stack.run('ready')).code).toBe(2);
  mended = true;
  stack.primary.proxy.setFault(null);
  expect((await stack.untilReady()).samples_synced).toBe(500);
  expect(await stack.compareRaw()).toEqual(noDifference);
});

test.concurrent('the source falls silent in the middle of READY: withdrawn, and repaired after', async () => {
  await using stack = await stackWithGap();
  let silent = false;
  stack.watchReady(({ last_check: at }) => silent && `the source was silent at ${at}`);
  stack.spawn('up');
  await stack.untilReady();
  const nowMs = lastMinuteMs();
  stack.primary.proxy.setFault({ kind: 'black-hole' });
  await stack.untilState('unknown', ({ last_error: error }) => error !== null);
  silent = true;
  // Meanwhile the source has more than the destination.
  const late = usualSeries(nowMs - 10 * minute, 2 * hour).map((series) => ({
    ...series,
    labels: { ...series.labels, late: 'yes' },
  }));
  await stack.fill({ primary: late.slice(0, 10) });
  const state = await stack.untilState('a second check', ({ last_error: error }) =>
    Boolean(error?.includes('did not answer in time')),
  );
  expect(state).toMatchObject({ failback_ready: false, consecutive_clean: 0 });
  silent = false;
  stack.primary.proxy.setFault(null);
  const repaired = await stack.untilState('the repair', (seen) => seen.samples_synced > 500);
  expect(repaired.failback_ready).toBe(false);
});
