import { startStack } from '@vm-sync/fault-bench';
import { makeSeries, noDifference, until, type VmVersion } from '@vm-sync/testkit';
import { expect, test } from 'vitest';
import { hour, lastMinuteMs, minute, usualSeries, without } from './support/data.ts';
import { full } from './support/full.ts';

const pairs: [VmVersion, VmVersion][] = [['oldest', 'newest']];
if (full) pairs.push(['newest', 'oldest']);

test.concurrent.each(pairs)(
  'both sites behind a vmauth with a login that routes only queries, exports and imports: %s → %s',
  async (source, destination) => {
    await using stack = await startStack({
      primary: { version: source, vmauth: true },
      dr: { version: destination, vmauth: true },
    });
    const nowMs = lastMinuteMs();
    const all = usualSeries(nowMs, 2 * hour);
    await stack.fill({ primary: all, dr: without(all, nowMs - 20 * minute, nowMs - 15 * minute) });
    stack.watchReady();
    const { lines } = stack.spawn('up');
    expect((await stack.untilReady()).samples_synced).toBe(500);
    expect(await stack.compareRaw()).toEqual(noDifference);
    // What cannot be done there is told, not passed over.
    expect(
      lines.some(({ msg }) => /does not allow \/internal\/resetRollupResultCache/.test(msg)),
    ).toBe(true);
    const doctor = await stack.run('doctor');
    expect(doctor).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('/metrics is not reachable'),
    });
  },
);

test.concurrent.each<VmVersion>(['oldest', 'newest'])(
  'the source killed in mid-export behind vmauth (%s): repaired when it is back, nothing doubled',
  async (version) => {
    await using stack = await startStack({
      role: 'dr',
      primary: { version, vmauth: true },
      dr: { version, vmauth: true, proxy: true },
      env: { QUERY_STEP: '300' },
    });
    // More than all buffers on the way hold: the export waits for the import.
    const nowMs = lastMinuteMs();
    const all = [
      ...usualSeries(nowMs, 2 * hour),
      ...makeSeries({
        count: 250,
        names: ['dense'],
        fromMs: nowMs - 55 * minute,
        toMs: nowMs,
        stepMs: 1_000,
      }),
    ];
    await stack.fill({ primary: all, dr: without(all, nowMs - 55 * minute, nowMs - 6 * minute) });
    await stack.primary.vm.restart(); // what was filled is on disk: what is lost is the export
    const path = '/api/v1/import';
    const { proxy } = stack.dr;
    proxy.setFault({ kind: 'delay', ms: 4_000, path });
    const imports = () => proxy.requests.filter((request) => request.path.startsWith(path));
    let back = false;
    stack.watchReady(() => !back && 'the source is down');
    const up = stack.spawn('up');
    // Where a flush is not allowed, it takes a while until this vm-sync knows that no other one repairs.
    await until('the import to begin', () => imports().length > 0, {
      deadlineMs: 120_000,
      everyMs: 10,
    });
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    await stack.primary.vm.kill();
    proxy.setFault(null);
    // Behind vmauth the cut export ends cleanly: it may be the count after it that notices.
    const failed = await up.untilLog(/^failed: /);
    expect(failed.msg).toMatch(/: VM (?:export|import|query) error: (?:primary|dr) \(http/);
    await stack.untilState('unknown', ({ last_error: error }) =>
      Boolean(error?.includes('primary')),
    );
    await stack.primary.vm.start();
    back = true;
    // READY itself waits until the time in which the source was down has settled.
    await stack.untilState('three clean checks', ({ consecutive_clean: clean }) => clean >= 3, {
      deadlineMs: 120_000,
    });
    expect(await stack.compareRaw()).toEqual(noDifference);
  },
);
