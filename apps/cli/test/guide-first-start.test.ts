import { readFile, writeFile } from 'node:fs/promises';
import { startStack } from '@vm-sync/fault-bench';
import { noDifference, startVmauth, until, type Vmauth } from '@vm-sync/testkit';
import { expect, test } from 'vitest';
import { hour, lastMinuteMs, minute, usualSeries, without } from './support/data.ts';
import { failback } from './support/failback.ts';

// What docs/guides/first-start.md and failback.md say, in one go.
test('first start on a pair that runs already: doctor, plan, backfill, READY, and the failback script turns vmauth', async () => {
  await using stack = await startStack({
    primary: { dedup: '1ms' },
    dr: { dedup: '1ms' },
    active: 'dr',
    webhook: true,
    env: { QUERY_WINDOW: '1800' },
  });
  const nowMs = lastMinuteMs();
  const all = usualSeries(nowMs, 3 * hour);
  const old = without(all, nowMs - 150 * minute, nowMs - 120 * minute);
  await stack.fill({ dr: all, primary: without(old, nowMs - 15 * minute, nowMs - 10 * minute) });
  const primaryUrl = stack.primary.vm.url;

  const vmauth = await startVmauth({ target: stack.dr.vm.url, paths: ['/api/v1/query'] });
  const gate = await startVmauth({ target: stack.dashboardUrl, paths: ['/parity/.*'] });
  await using ends = new AsyncDisposableStack();
  ends.defer(() => vmauth.stop());
  ends.defer(() => gate.stop());
  const toDr = await readFile(vmauth.config, 'utf8');
  const toPrimary = `${vmauth.config}.primary`;
  await writeFile(toPrimary, toDr.replaceAll(stack.dr.vm.url, primaryUrl));
  const turn = `cp ${toPrimary} ${vmauth.config} && kill -HUP ${vmauth.pid}`;
  const command = ['--', 'sh', '-c', turn];
  const through = async (way: Vmauth, path: string) => {
    const authorization = `Basic ${btoa(`${way.username}:${way.password}`)}`;
    const answer = await fetch(`${way.url}${path}`, { headers: { authorization } });
    return `${answer.status} ${await answer.text()}`;
  };
  const marker = new URLSearchParams({
    query: 'count(vmsync_identity[1h]) by (site)',
    nocache: '1',
  });
  const readsFrom = () => through(vmauth, `/api/v1/query?${marker}`);

  const [doctor, plan] = await Promise.all([stack.run('doctor'), stack.run('plan')]);
  expect(doctor).toMatchObject({ code: 0, stderr: '' });
  expect(plan).toMatchObject({ code: 1, stdout: expect.stringContaining('dr → primary') });

  stack.watchReady();
  const up = stack.spawn('up');
  const state = await stack.untilState('a difference in older history', (seen) =>
    seen.not_ready_because.some((why) => /vm-sync backfill --from/.test(why)),
  );
  const [, range = ''] =
    /vm-sync backfill (--from \S+ --to \S+)/.exec(state.not_ready_because.join('\n')) ?? [];
  expect(await failback(['primary', stack.dashboardUrl, ...command])).toMatchObject({ code: 1 });
  expect(await readsFrom()).toContain('"site":"dr"');
  expect(await through(gate, '/parity/primary')).toMatch(/^503 primary is not proven complete: /);
  const dry = await stack.run('backfill', [...range.split(' '), '--dry-run']);
  expect(dry).toMatchObject({ code: 1, stdout: expect.stringContaining('3,000 samples') });
  const failingBack = failback(['-w', '120', 'primary', stack.dashboardUrl, ...command]);
  expect((await stack.run('backfill', range.split(' '))).code).toBe(0);

  await stack.untilReady();
  expect(await stack.compareRaw()).toEqual(noDifference);
  expect(await failingBack).toMatchObject({
    code: 0,
    stderr: expect.stringContaining('primary is proven complete'),
  });
  await until('vmauth to read from primary', async () =>
    (await readsFrom()).includes('"site":"primary"'),
  );
  expect(await through(gate, '/parity/primary')).toBe('200 primary is proven complete\n');

  // What was done has been counted.
  const counted = await until('the message of READY to be counted', async () => {
    const text = await (await fetch(`${stack.dashboardUrl}/metrics`)).text();
    const samples = text.split('\n').map((line) => line.split(' '));
    const values = new Map(samples.map(([series = '', value]) => [series, Number(value)]));
    const told = values.get('vmsync_finished_jobs_total{queue="notifications",result="completed"}');
    if (!told) throw new Error(text);
    return values;
  });
  const value = (series: string): number => counted.get(`vmsync_${series}`) ?? Number.NaN;
  expect(value('ready')).toBe(1);
  expect(value('repaired_samples_total')).toBe(3_500);
  expect(value('repaired_bytes_total')).toBeGreaterThan(0);
  expect(value('chunk_duration_seconds_count{outcome="repaired"}')).toBeGreaterThan(0);
  expect(value('checks_total{outcome="clean"}')).toBeGreaterThanOrEqual(3);
  expect(value('finished_jobs_total{queue="checks",result="completed"}')).toBeGreaterThan(3);
  expect(value('finished_jobs_total{queue="repairs",result="completed"}')).toBeGreaterThan(0);
  expect(up.ended).toBeUndefined();
});
