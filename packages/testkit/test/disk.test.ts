import { readFileSync } from 'node:fs';
import { describe, expect, onTestFinished, test } from 'vitest';
import { canMount, makeSeries, startVictoriaMetrics, until } from '../src/index.ts';

const toMs = Math.floor(Date.now() / 60_000) * 60_000;
const cannot = canMount();

async function startWithDisk(sizeMb: number, flags: readonly string[] = []) {
  const vm = await startVictoriaMetrics({ disk: { sizeMb }, flags });
  onTestFinished(() => vm.kill());
  if (!vm.disk) throw new Error('started without a disk');
  return { vm, disk: vm.disk };
}

describe.skipIf(cannot)(`a disk of its own${cannot ? `: ${cannot}` : ''}`, () => {
  test('can be filled up and cleared again, is kept over a restart, and seen by nobody else', {
    timeout: 30_000,
  }, async () => {
    const flags = ['-storage.minFreeDiskSpaceBytes=4MB'];
    const { vm, disk } = await startWithDisk(32, flags);
    const series = makeSeries({ count: 3, fromMs: toMs - 60_000, toMs, stepMs: 1000 });
    await vm.import(series);
    await vm.flush();
    expect(readFileSync('/proc/self/mounts', 'utf8')).not.toContain('vm-sync-disk');

    await disk.fill();
    expect(disk.freeBytes()).toBe(0);
    await until('the database to refuse', () =>
      vm.import(series).then(
        () => false,
        (error: Error) => error.message.includes('read-only mode'),
      ),
    );
    disk.clear();
    expect(disk.freeBytes()).toBeGreaterThan(8_000_000);
    await until('the database to take it', () => vm.import(series).then(() => true));
    await vm.restart();
    expect((await vm.export()).size).toBe(3);
  });

  test('is filled but for some bytes', async () => {
    const { disk } = await startWithDisk(16);
    await disk.fill(1_000_000);
    expect(disk.freeBytes()).toBeLessThanOrEqual(1_000_000);
    expect(disk.freeBytes()).toBeGreaterThan(900_000);
  });
});
