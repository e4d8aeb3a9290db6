import { readFileSync } from 'node:fs';
import { describe, expect, onTestFinished, test } from 'vitest';
import { canMount, makeSeries, startVictoriaMetrics, until } from '../src/index.ts';

const toMs = Math.floor(Date.now() / 60_000) * 60_000;
const cannot = canMount();

describe.skipIf(cannot)(`a disk of its own${cannot ? `: ${cannot}` : ''}`, () => {
  test('can be filled up and cleared again, is kept over a restart, and seen by nobody else', {
    timeout: 30_000,
  }, async () => {
    const flags = ['-storage.minFreeDiskSpaceBytes=4MB'];
    const vm = await startVictoriaMetrics({ disk: { sizeMb: 32 }, flags });
    onTestFinished(() => vm.kill());
    const series = makeSeries({ count: 3, fromMs: toMs - 60_000, toMs, stepMs: 1000 });
    await vm.import(series);
    await vm.flush();
    expect(readFileSync('/proc/self/mounts', 'utf8')).not.toContain('vm-sync-disk');

    await vm.disk.fill();
    expect(vm.disk.freeBytes()).toBe(0);
    await until('the database to refuse', () =>
      vm.import(series).then(
        () => false,
        (error: Error) => error.message.includes('read-only mode'),
      ),
    );
    vm.disk.clear();
    expect(vm.disk.freeBytes()).toBeGreaterThan(8_000_000);
    await until('the database to take it', () => vm.import(series).then(() => true));
    await vm.restart();
    expect((await vm.export()).size).toBe(3);
  });

  test('is filled but for some bytes', async () => {
    const vm = await startVictoriaMetrics({ disk: { sizeMb: 16 } });
    onTestFinished(() => vm.kill());
    await vm.disk.fill(1_000_000);
    expect(vm.disk.freeBytes()).toBeLessThanOrEqual(1_000_000);
    expect(vm.disk.freeBytes()).toBeGreaterThan(900_000);
  });
});

test('a database without one says so', async () => {
  const vm = await startVictoriaMetrics();
  onTestFinished(() => vm.kill());
  expect(() => vm.disk).toThrow('started without a disk');
});
