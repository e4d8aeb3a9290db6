import { rest, startStack } from '@vm-sync/fault-bench';
import { noDifference, until } from '@vm-sync/testkit';
import { expect, test } from 'vitest';
import { recentLoss } from './support/recent.ts';

test.concurrent.each(['oldest', 'newest'] as const)(
  'what a killed destination (%s) forgot is found and repaired again',
  async (version) => {
    const { all, left } = recentLoss();
    await using stack = await startStack({ role: 'dr', dr: { version } });
    await stack.fill({ primary: all, dr: left });
    await stack.dr.vm.restart(); // writes all of it to disk: only the repair is to be forgotten
    stack.watchReady();
    stack.spawn('up');
    await until('a verified chunk', async () =>
      (await stack.chunks()).some(({ state }) => state === 'completed'),
    );
    await rest(2_000);
    await stack.dr.vm.kill();
    await stack.dr.vm.start();
    const { onlyA } = await stack.compareRaw();
    const ready = await stack.untilReady();
    expect(await stack.compareRaw()).toEqual(noDifference);
    expect(onlyA).toBeGreaterThan(0);
    const copied = (await stack.chunks()).reduce(
      (sum, { result }) => sum + (result?.samples ?? 0),
      0,
    );
    expect(copied).toBe(4_000);
    expect(ready.samples_synced).toBe(4_000);
  },
);
