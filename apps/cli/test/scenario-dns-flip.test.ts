import { setTimeout as sleep } from 'node:timers/promises';
import { startStack } from '@vm-sync/fault-bench';
import { countSamples, filterSamples, noDifference, until } from '@vm-sync/testkit';
import { expect, test } from 'vitest';
import { hour, lastMinuteMs, minute, usualSeries } from './support/data.ts';

const bucket = 5 * minute;

test('DNS flips during a repair: not another sample against it, then the new direction is made right', async () => {
  await using stack = await startStack({
    dns: true,
    dr: { proxy: true },
    env: { QUERY_STEP: '300', WORKER_CONCURRENCY: '1' },
  });
  const nowMs = lastMinuteMs();
  const all = usualSeries(nowMs, 2 * hour);
  const age = (at: number) => Math.floor(nowMs / bucket) - Math.ceil(at / bucket);
  const left = {
    primary: filterSamples(all, (at) => age(at) !== 3),
    // Four holes, four chunks.
    dr: filterSamples(all, (at) => ![4, 6, 8, 10].includes(age(at))),
  };
  await stack.fill(left);
  stack.watchReady();
  const { proxy } = stack.dr;
  const importPath = '/api/v1/import';
  proxy.setFault({ kind: 'delay', ms: 3_000, path: importPath });
  const imports = () => proxy.requests.filter(({ path }) => path.startsWith(importPath)).length;
  const up = stack.spawn('up');
  await until('the first import to arrive', () => imports() > 0, { everyMs: 10 });

  await stack.activate('dr');
  const begun = imports();
  // The import that is under way ends; no other begins.
  await up.untilLog(/^failed: .*the order primary → dr no longer holds/);
  await sleep(4_000);
  expect(imports()).toBe(begun);
  proxy.setFault(null);

  const state = await stack.untilState(
    'READY for the new direction',
    ({ failback_ready: ready, active_site: active }) => ready && active === 'dr',
  );
  expect(state.not_ready_because).toEqual([]);
  // What the old direction had not copied yet is still only on primary: nobody was told to bring it.
  const onlyA = countSamples(all) - countSamples(left.dr) - begun * 500;
  expect({ ...(await stack.compareRaw()), examples: [] }).toEqual({ ...noDifference, onlyA });
  expect(onlyA).toBeGreaterThan(0);

  const chunks = await stack.chunks();
  const old = chunks.filter(({ order }) => order.direction.source === 'primary');
  const failed = old.filter(({ state: how }) => how === 'failed');
  expect(failed.length).toBeGreaterThan(0);
  for (const { failedReason, attempts } of failed) {
    expect(failedReason).toMatch(
      /^repair primary → dr, .*the order primary → dr no longer holds: .*nothing was written; leave this job, the next check plans/,
    );
    expect(attempts).toBe(1);
  }
});
