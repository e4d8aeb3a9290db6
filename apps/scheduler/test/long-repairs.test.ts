import { join } from 'node:path';
import { directionFrom, makeWindow } from '@vm-sync/core';
import type { RunRecord } from '@vm-sync/queue';
import { createLogger, envToConfig } from '@vm-sync/runtime';
import { startRedis, temporaryFolder } from '@vm-sync/testkit';
import { expect, onTestFinished, test } from 'vitest';
import { createContext } from '../src/context.ts';
import { LongRepairs } from '../src/long-repairs.ts';

const minute = 60_000;
const nowMs = 100 * minute;

const runOf = (id: string, ageMs: number, more: Partial<RunRecord> = {}): RunRecord => ({
  id,
  direction: directionFrom('dr'),
  epoch: 1,
  createdMs: nowMs - ageMs,
  backfillId: null,
  recovery: false,
  cause: null,
  state: 'open',
  chunks: 10,
  series: 10,
  samplesPlanned: 1_000,
  windows: [makeWindow(0, minute)],
  settledMs: null,
  samplesCopied: 0,
  bytesCopied: 0,
  ...more,
});

test('a repair that takes long is told once, with the time left; a backfill once for all its runs', async () => {
  const redis = await startRedis();
  const config = envToConfig({
    ROLE: 'primary',
    LOCAL_VM_URL: 'http://127.0.0.1:1',
    REMOTE_VM_URL: 'http://127.0.0.1:2',
    ACTIVE_SITE: 'dr',
    REDIS_URL: redis.url,
    STATE_FILE: join(temporaryFolder('long'), 'state.json'),
    NOTIFY_WEBHOOK: 'http://127.0.0.1:3/hook',
  });
  const context = createContext(config, createLogger('silent', 'scheduler', []));
  onTestFinished(async () => {
    await context.close();
    await redis.stop();
  });
  const { store } = context;
  for (const run of [
    runOf('long', 10 * minute),
    runOf('short', 2 * minute),
    runOf('waits-for-a-person', 10 * minute),
    runOf('paused', 10 * minute, { backfillId: 'p', state: 'paused' }),
    runOf('wave-1', 10 * minute, { backfillId: 'b' }),
    runOf('wave-2', 9 * minute, { backfillId: 'b' }),
  ]) {
    await store.saveRun(run);
    const atMs = run.id === 'waits-for-a-person' ? nowMs - 5 * minute : nowMs - 1;
    await store.countChunk(run.id, 'chunk-1', { atMs, planned: 100, samples: 100, bytes: 1 });
  }
  const longRepairs = new LongRepairs(context);
  for (let at = 0; at < 3; at++) await longRepairs.look(nowMs);
  const jobs = await context.notifications.getJobs();
  const texts: string[] = jobs.map(({ data }) => data.text);
  expect(texts).toHaveLength(2);
  expect(texts.find((text) => text.includes('run long'))).toBe(
    '⏳ VM-Sync: Repair under way: dr → primary, 1 of 10 chunks, 10 %, 9m left (900 samples left at 1.7/s over the last 1m), since 1970-01-01T01:30:00.000Z, run long',
  );
  expect(texts.find((text) => text.includes('run wave-'))).toBeDefined();
});
