import { expect, test } from 'vitest';
import { readyStatus, startBench } from './setup.ts';

test('what stands in the way of the sites being equal is on the page and in the status', async () => {
  const { get, store } = await startBench();
  await store.saveStatus(readyStatus());
  expect((await get('/')).text).not.toContain('Settings and clocks');
  const twins = [
    {
      severity: 'fault' as const,
      key: 'dedup',
      subject: 'both sites' as const,
      text: 'deduplicate differently (primary <1m>, dr off)',
      keepsReadyAway: false,
    },
  ];
  const { sites, ...ready } = readyStatus();
  const observation = {
    site: 'dr' as const,
    url: 'http://dr',
    clock: { offsetMs: -1_500, uncertaintyMs: 2 },
  };
  const dr = { healthy: true, observation } as const;
  await store.saveStatus({ ...ready, sites: { ...sites, dr }, twins });
  expect((await get('/')).text).toContain(
    'fault</span> both sites deduplicate differently (primary &lt;1m&gt;, dr off)',
  );
  expect(JSON.parse((await get('/api/status')).text)).toMatchObject({ twins });
  const metrics = (await get('/metrics')).text.split('\n');
  expect(metrics).toEqual(
    expect.arrayContaining([
      'vmsync_site_clock_offset_seconds{site="dr"} -1.5',
      'vmsync_twin_findings{severity="fault"} 1',
      'vmsync_twin_findings{severity="advice"} 0',
    ]),
  );
});
