import { startingPace } from '@vm-sync/core';
import { connect, PaceStore } from '@vm-sync/queue';
import { expect, onTestFinished, test } from 'vitest';
import { openRun, readyStatus, startBench } from './setup.ts';

async function startPaced() {
  const bench = await startBench();
  const client = connect(bench.redis.url, 'brief');
  onTestFinished(() => client.disconnect());
  await bench.store.saveStatus(readyStatus());
  return { ...bench, paces: new PaceStore(client) };
}

const full = { ...startingPace({ maxCopies: 4, maxBytesPerS: null }), copies: 4, reason: null };

test('why repairs are slow stands with the run, and in the status', async () => {
  const { get, store, paces } = await startPaced();
  await store.saveRun(openRun('run-1'));
  await paces.save(full);
  expect((await get('/')).text).not.toContain('slowed');
  const reason = 'primary answers queries in 2.1 s (usually 0.1 s): 1 of 4 copies at a time';
  await paces.save({ ...full, copies: 1, reason });
  const { text } = await get('/');
  expect(text).toContain('slowed');
  expect(text).toContain(reason);
  expect(JSON.parse((await get('/api/status')).text).pace).toEqual({
    copies: 1,
    bytesPerS: null,
    stopped: false,
    reason,
  });
});

test('without a run only a stop is worth a word', async () => {
  const { get, paces } = await startPaced();
  await paces.save({ ...full, copies: 1, reason: 'the databases are calm: 1 of 4' });
  expect((await get('/')).text).not.toContain('1 of 4');
  await paces.save({ ...full, copies: 1, stopped: true, reason: 'primary is read-only' });
  const { text } = await get('/');
  expect(text).toContain('stopped');
  expect(text).toContain('primary is read-only');
});
