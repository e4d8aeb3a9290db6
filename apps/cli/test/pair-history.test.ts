import { startStack } from '@vm-sync/fault-bench';
import { makeSeries, noDifference, until } from '@vm-sync/testkit';
import { expect, test } from 'vitest';
import { minute, without } from './support/data.ts';

test('history that differs is repaired by the vm-sync that repairs, and proven by the other one too: both say READY', async () => {
  await using stack = await startStack({ env: { QUERY_WINDOW: '600' } });
  const nowMs = Math.floor(Date.now() / minute) * minute;
  const all = makeSeries({ count: 5, fromMs: nowMs - 60 * minute, toMs: nowMs, stepMs: minute });
  await stack.fill({ primary: all, dr: without(all, nowMs - 50 * minute, nowMs - 40 * minute) });
  stack.watchReady();
  const dr = await stack.second();
  stack.spawn('up');
  dr.spawn('up');
  const advice = /vm-sync backfill --from (\S+) --to (\S+)$/m;
  const [at, there] = await Promise.all(
    [stack, dr].map((one) =>
      one.untilState('the advice', ({ not_ready_because: reasons }) =>
        reasons.some((reason) => advice.test(reason)),
      ),
    ),
  );
  const rangeOf = (reasons: readonly string[] = []): string[] => {
    const [, from = '', to = ''] = advice.exec(reasons.join('\n')) ?? [];
    return ['--from', from, '--to', to];
  };
  const asked = await stack.run('backfill', rangeOf(at?.not_ready_because));
  expect(asked).toMatchObject({ code: 0 });
  expect(asked.stdout).toMatch(
    /it proves, and this vm-sync \(primary's\) watches, and dr's repairs: ask for it at dr too/,
  );
  expect(await dr.run('backfill', rangeOf(there?.not_ready_because))).toMatchObject({ code: 0 });
  await Promise.all([stack.untilReady(), dr.untilReady()]);
  expect(await stack.compareRaw()).toEqual(noDifference);
  await until('nothing repaired here', async () => (await stack.state())?.samples_synced === 0);
  expect((await dr.state())?.samples_synced).toBe(50);
});
