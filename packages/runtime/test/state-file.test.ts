import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { EMPTY_STATE, makeWindow, type SyncState } from '@vm-sync/core';
import { temporaryFolder, until } from '@vm-sync/testkit';
import { expect, test } from 'vitest';
import { readStateFile, setStateFileAside, stateToFile, writeStateFile } from '../src/index.ts';

const newFile = (): string => join(temporaryFolder('state'), 'deep', 'state.json');

const state: SyncState = {
  ...EMPTY_STATE,
  lastCheckMs: Date.UTC(2026, 10, 23, 12),
  consecutiveClean: 2,
  activeSite: 'dr',
  gapsDetected: 4,
  samplesSynced: 77,
  lastError: 'dr: 503',
  marks: {
    'primary-to-dr': {
      sinceMs: 0,
      throughMs: 900_000,
      unproven: [makeWindow(300_000, 600_000)],
      earlier: [],
    },
    'dr-to-primary': { sinceMs: 0, throughMs: 900_000, unproven: [], earlier: [] },
  },
  reasons: ['because'],
};

test('people find the fields they know, first and in their order', () => {
  const written = stateToFile(state);
  expect(Object.entries(written).slice(0, 9)).toEqual([
    ['last_check', '2026-11-23T12:00:00.000Z'],
    ['last_sync', null],
    ['consecutive_clean', 2],
    ['failback_ready', false],
    ['active_site', 'dr'],
    ['gaps_detected', 4],
    ['samples_synced', 77],
    ['last_error', 'dr: 503'],
    [
      'verified_through',
      { 'primary-to-dr': '1970-01-01T00:05:00.000Z', 'dr-to-primary': '1970-01-01T00:15:00.000Z' },
    ],
  ]);
  expect(stateToFile(EMPTY_STATE)).toMatchObject({
    last_check: null,
    active_site: 'unknown',
    verified_through: { 'primary-to-dr': null, 'dr-to-primary': null },
  });
});

test('what no repair reaches, and what no repair changed, is listed', () => {
  const window = makeWindow(0, 3_600_000);
  const times = { firstMs: 7_200_000, lastMs: 7_200_000, times: 1 };
  const attempt = { direction: 'primary-to-dr', window, selectors: 'ab', samples: 9 } as const;
  const written = stateToFile({
    ...state,
    beyondRepair: [
      {
        direction: 'primary-to-dr',
        window,
        reason: 'destination-retention',
        sinceMs: 7_200_000,
        samplesMissing: null,
      },
    ],
    stuck: {
      attempted: [true, false].map((stuck) => ({ ...attempt, ...times, outcome: 'done', stuck })),
    },
  });
  const common = {
    direction: 'primary-to-dr',
    from: '1970-01-01T00:00:00.000Z',
    to: '1970-01-01T01:00:00.000Z',
    since: '1970-01-01T02:00:00.000Z',
  };
  const reason = 'older than dr keeps (-retentionPeriod)';
  expect(written['beyond_repair']).toEqual([{ ...common, reason, samples_missing: null }]);
  expect(written['stuck']).toEqual([
    { ...common, samples_missing: 9, repairs: 1, acknowledged_by: null },
  ]);
});

test.each([EMPTY_STATE, state])('what is written is read', async (one) => {
  const path = newFile();
  expect(await readStateFile(path)).toBeUndefined();
  await writeStateFile(path, one);
  expect(await readStateFile(path)).toEqual(one);
  await writeStateFile(path, state);
  expect(await readStateFile(path)).toEqual(state);
  expect(readdirSync(join(path, '..'))).toEqual(['state.json']);
});

test.each([
  '',
  '{',
  'null',
  '{}',
  JSON.stringify({ detail: { ...state, consecutiveClean: -1 } }),
  JSON.stringify(stateToFile(state)).slice(0, -50),
])('a damaged file is told in a sentence, and can be set aside: %s', async (text) => {
  const path = newFile();
  await writeStateFile(path, state);
  writeFileSync(path, text);
  await expect(readStateFile(path)).rejects.toThrow(`the state file ${path} is damaged`);
  const aside = await setStateFileAside(path, Date.UTC(2026, 0, 2));
  expect(aside).toBe(`${path}.damaged-2026-01-02T00-00-00.000Z`);
  expect(readFileSync(aside, 'utf8')).toBe(text);
  expect(await readStateFile(path)).toBeUndefined();
});

test('what is no file is told in a sentence', async () => {
  const path = newFile();
  mkdirSync(path, { recursive: true });
  await expect(readStateFile(path)).rejects.toThrow(`cannot read the state file ${path}: `);
});

test('a process that is killed while it writes leaves a whole file', async () => {
  const path = newFile();
  const script = join(import.meta.dirname, 'write-forever.ts');
  const seen = new Set<number>();
  for (let round = 0; round < 8; round++) {
    const child = spawn(process.execPath, ['--conditions=@vm-sync/source', script, path], {
      stdio: 'inherit',
    });
    const before = (await readStateFile(path))?.samplesSynced ?? 0;
    // Every look in between must find a whole file too.
    const more = async () => ((await readStateFile(path))?.samplesSynced ?? 0) > before + round;
    await until('some writes', more, { everyMs: 1 });
    await kill(child);
    seen.add((await readStateFile(path))?.samplesSynced ?? 0);
  }
  expect(seen.size).toBeGreaterThan(1);
});

async function kill(child: ChildProcess): Promise<void> {
  const exited = once(child, 'exit');
  child.kill('SIGKILL');
  await exited;
}
