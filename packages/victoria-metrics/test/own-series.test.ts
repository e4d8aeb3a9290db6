import { startVictoriaMetrics, vmVersions } from '@vm-sync/testkit';
import { expect, onTestFinished, test } from 'vitest';
import { client, errorOf, hour, minute } from './support.ts';

test.each(vmVersions)('markers and heartbeats are read back (%s)', async (version) => {
  // As a server that has been given a retention refuses to look beyond it.
  const flags = ['-denyQueriesOutsideRetention'];
  const vm = await startVictoriaMetrics({ version, retention: '31d', flags });
  onTestFinished(() => vm.kill());
  const database = client(vm.url);
  await database.observe();
  expect(await database.own()).toEqual({ markers: [], heartbeats: [] });

  const nowMs = Date.now();
  const markers = [
    { site: 'primary' as const, pair: 'one "pair"', atMs: nowMs - 20 * 24 * hour },
    { site: 'dr' as const, pair: 'other', atMs: nowMs + 10 * minute },
  ];
  for (const marker of markers) await database.writeMarker(marker);
  const beats = [
    { site: 'dr' as const, onDuty: true, atMs: nowMs + 9 * minute + 1 },
    { site: 'primary' as const, onDuty: false, atMs: nowMs - 10 * minute },
  ];
  for (const beat of beats) {
    await database.writeHeartbeat({ ...beat, onDuty: !beat.onDuty, atMs: beat.atMs - 2 });
    await database.writeHeartbeat(beat);
  }
  await database.makeVisible();
  const own = await database.own();
  expect([...own.markers].sort((a, b) => a.atMs - b.atMs)).toEqual(markers);
  expect([...own.heartbeats].sort((a, b) => b.atMs - a.atMs)).toEqual(beats);

  // Again, a moment later: nothing is cached.
  await database.writeHeartbeat({ site: 'dr', onDuty: false, atMs: nowMs + 9 * minute + 2 });
  await database.makeVisible();
  expect((await database.own()).heartbeats).toContainEqual({
    site: 'dr',
    onDuty: false,
    atMs: nowMs + 9 * minute + 2,
  });
  // The raw export of the tests does not see them.
  const around = { fromMs: nowMs - hour, toMs: nowMs + hour };
  expect((await vm.export(around)).size).toBe(0);

  await vm.kill();
  expect((await errorOf(database.own())).message).toMatch(/^VM query error: primary/);
});
