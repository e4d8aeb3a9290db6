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
  await store.saveStatus({ ...readyStatus(), twins });
  expect((await get('/')).text).toContain(
    'fault</span> both sites deduplicate differently (primary &lt;1m&gt;, dr off)',
  );
  expect(JSON.parse((await get('/api/status')).text)).toMatchObject({ twins });
});
