import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createLogger, envToConfig } from '@vm-sync/runtime';
import { startRedis, temporaryFolder } from '@vm-sync/testkit';
import type { Job } from 'bullmq';
import { expect, onTestFinished, test } from 'vitest';
import { runCheck } from '../src/check.ts';
import { createContext } from '../src/context.ts';

test('a check that loses its lock at its very end tells nothing and remembers nothing', async () => {
  const redis = await startRedis();
  onTestFinished(() => redis.kill());
  const config = envToConfig({
    ROLE: 'primary',
    LOCAL_VM_URL: 'http://127.0.0.1:1',
    REMOTE_VM_URL: 'http://127.0.0.1:2',
    ACTIVE_SITE: 'primary',
    REDIS_URL: redis.url,
    STATE_FILE: join(temporaryFolder('lock-lost'), 'state.json'),
  });
  const context = createContext(config, createLogger('silent', 'scheduler', []));
  onTestFinished(() => context.close());
  const lock = new AbortController();
  const { primary, dr } = context.databases;
  primary.observe = () => Promise.reject(new Error('gone'));
  dr.observe = () => sleep(50).then(() => Promise.reject(new Error('gone')));
  // Asked for when both sites have answered, to say which of them did not.
  Object.defineProperty(dr, 'url', {
    get() {
      lock.abort('lock lost');
      return 'http://127.0.0.1:2';
    },
  });
  const job = { id: '1', log: async () => 1 } as unknown as Job;
  await expect(runCheck(context, { cause: 'schedule' }, job, lock.signal)).rejects.toBe(
    'lock lost',
  );
  expect((await context.store.loadState())?.lastCheckMs ?? null).toBeNull();
  expect(await context.store.listEvents(10)).toEqual([]);
});
