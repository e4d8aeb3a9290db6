import { type Stack, startStack } from '@vm-sync/fault-bench';
import { noDifference, until } from '@vm-sync/testkit';
import { expect, test } from 'vitest';
import { recentLoss } from './support/recent.ts';

type Shown = {
  active_site: string;
  pin: { site: string; untilMs: number } | null;
  active: { reason: string; mayWrite: boolean; witnesses: { name: string; says: string }[] };
};

const shown = async (stack: Stack): Promise<Shown> =>
  JSON.parse((await stack.run('status', ['--json'])).stdout);

test('a pin outranks DNS for repairs as well, is shown everywhere while it lasts, and ends', async () => {
  await using stack = await startStack({ dns: true, webhook: true });
  const { all, left } = recentLoss();
  // DNS names primary, which lost its samples: only the pin has them brought back.
  await stack.fill({ primary: left, dr: all });
  stack.watchReady();
  stack.spawn('up');
  await stack.untilState('a check', ({ active_site: active }) => active === 'primary');

  for (const [args, sentence] of [
    [['elsewhere', '--for', '2h'], /^site: expected primary or dr, got "elsewhere"$/m],
    [['dr', '--for', 'soon'], /^--for: expected a duration such as 30m, 2h or 1d, from 1s to 7d/m],
    [['dr', '--for', '8d'], /^--for: expected a duration/m],
    [['dr'], /required option '--for <duration>' not specified/],
  ] as const) {
    const refused = await stack.run('pin', args);
    expect([refused.code, refused.stdout]).toEqual([2, '']);
    expect(refused.stderr).toMatch(sentence);
  }

  const asked = await stack.run('pin', ['dr', '--for', '1h']);
  expect([asked.code, asked.stderr]).toEqual([0, '']);
  expect(asked.stdout).toMatch(/^pin asked for: dr is the active site for 1h, until \S+Z$/m);
  const ready = await stack.untilState(
    'READY in the pinned direction',
    ({ failback_ready: ready, active_site: active }) => ready && active === 'dr',
  );
  expect(ready.detail).toMatchObject({ pin: { site: 'dr' }, direction: { confirmed: true } });
  expect(await stack.compareRaw()).toEqual(noDifference);

  const now = await shown(stack);
  expect(now).toMatchObject({
    active_site: 'dr',
    pin: { site: 'dr' },
    active: { mayWrite: true, reason: expect.stringMatching(/^pinned by hand to the dr site/) },
  });
  expect(now.active.witnesses).toMatchObject([
    { name: 'pin', says: 'dr' },
    { name: 'address', says: 'primary' },
    { name: 'lease', says: null },
    { name: 'freshness', says: null },
  ]);
  const pinned = /pinned by hand to the dr site until \S+Z \(vm-sync unpin ends it\)/;
  expect((await stack.run('status')).stdout).toMatch(pinned);
  expect((await stack.run('doctor')).stdout).toMatch(pinned);
  expect(await (await fetch(stack.dashboardUrl)).text()).toMatch(pinned);
  const api = async () =>
    (await (await fetch(`${stack.dashboardUrl}/api/status`)).json()) as Pick<Shown, 'pin'>;
  expect((await api()).pin).toMatchObject({ site: 'dr' });

  expect((await stack.run('unpin')).code).toBe(0);
  await stack.untilState('DNS again', ({ active_site: active }) => active === 'primary');
  expect((await api()).pin).toBeNull();

  const posted = await fetch(`${stack.dashboardUrl}/api/pin`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ site: 'dr', for: '8s' }),
  });
  expect(posted.status).toBe(202);
  await stack.untilState('the short pin', ({ active_site: active }) => active === 'dr');
  await stack.untilState('its end', ({ active_site: active }) => active === 'primary');
  const told = () =>
    stack.webhook.messages.flatMap(({ body }) =>
      (/(Direction pinned|Pin removed|Pin ended)/.exec(body) ?? []).slice(0, 1),
    );
  const expected = ['Direction pinned', 'Pin removed', 'Direction pinned', 'Pin ended'];
  await until('all that is told', () => told().length >= expected.length);
  expect(told()).toEqual(expected);
  expect((await stack.state())?.detail.direction.epoch).toBe(5);
});
