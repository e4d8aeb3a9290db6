import { type RedisServer, startRedis, until } from '@vm-sync/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { connect, DutyStore } from '../src/index.ts';

let server: RedisServer;
let client: ReturnType<typeof connect>;
let duties: DutyStore;
beforeAll(async () => {
  server = await startRedis();
  client = connect(server.url, 'brief');
  duties = new DutyStore(client);
});
afterAll(async () => {
  client.disconnect();
  await server.stop();
});

test('the right to write ends at an instant of the clock of Redis, and can be taken back', async () => {
  expect(await duties.lentForMs()).toBe(0);
  const nowMs = await duties.nowMs();
  await duties.lendUntil(nowMs + 60_000);
  const left = await duties.lentForMs();
  expect(left).toBeGreaterThan(50_000);
  expect(left).toBeLessThanOrEqual(60_000);
  await duties.takeBack();
  expect(await duties.lentForMs()).toBe(0);
  // Held up for so long that it has ended before it began.
  await duties.lendUntil(nowMs - 1);
  expect(await duties.lentForMs()).toBe(0);
  await duties.lendUntil((await duties.nowMs()) + 200);
  await until('its end', async () => (await duties.lentForMs()) === 0, { everyMs: 20 });
});

test('what the scheduler saw is read back; what cannot be read is nothing', async () => {
  expect(await duties.loadView()).toBeUndefined();
  const view = {
    atMs: 5,
    role: 'dr' as const,
    stance: 'leave' as const,
    unable: null,
    other: { seenMs: 3, onDuty: true, fresh: false },
  };
  await duties.saveView(view);
  expect(await duties.loadView()).toEqual(view);
  await client.set('{vmsync}:duty-view', '{');
  expect(await duties.loadView()).toBeUndefined();
});
