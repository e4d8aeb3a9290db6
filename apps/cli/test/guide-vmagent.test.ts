import { startStack } from '@vm-sync/fault-bench';
import {
  countSamples,
  importSeries,
  noDifference,
  type Series,
  startVmagent,
  until,
  vmVersions,
} from '@vm-sync/testkit';
import { expect, test } from 'vitest';
import { hour, lastMinuteMs, minute, usualSeries, without } from './support/data.ts';

// What docs/guides/vmagent.md says.
test.concurrent.each(vmVersions)(
  'vmagent (%s) writes to both sites: what a site misses waits on disk, also while vmagent is restarted',
  async (version) => {
    await using stack = await startStack({
      primary: { version, dedup: '1ms' },
      dr: { version, dedup: '1ms' },
    });
    const targets = [stack.primary.vm.url, stack.dr.vm.url];
    const vmagent = await startVmagent({ version, targets });
    await using ends = new AsyncDisposableStack();
    ends.defer(() => vmagent.kill());
    const nowMs = lastMinuteMs();
    const all = usualSeries(nowMs, hour);
    const untilHas = (site: 'primary' | 'dr', wanted: readonly Series[]) =>
      until(`${site} to have what was sent`, async () => {
        const { vm } = stack[site];
        await vm.flush();
        return countSamples((await vm.export()).values()) === countSamples(wanted);
      });
    const earlier = without(all, nowMs - 20 * minute, nowMs);
    await importSeries(vmagent.url, earlier);
    await untilHas('primary', earlier);
    await untilHas('dr', earlier);

    await stack.dr.vm.stop();
    await importSeries(vmagent.url, without(all, 0, nowMs - 20 * minute));
    await untilHas('primary', all);
    await vmagent.stop();
    await stack.dr.vm.start();
    await vmagent.start();
    await untilHas('dr', all);
    expect(await stack.compareRaw()).toEqual(noDifference);
    const check = await stack.run('check');
    expect([check.code, check.stderr]).toEqual([0, '']);
  },
);
