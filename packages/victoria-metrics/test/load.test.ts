import {
  makeSeries,
  startFaultProxy,
  startVictoriaMetrics,
  startVmauth,
  type VmOptions,
  vmVersions,
} from '@vm-sync/testkit';
import { describe, expect, onTestFinished, test } from 'vitest';
import { client, errorOf, load as fill, minute } from './support.ts';

const recent = (count: number) => {
  const toMs = Math.floor(Date.now() / minute) * minute;
  return makeSeries({
    count,
    names: ['a.b', 'c"d', 'e', 'f', 'g'],
    fromMs: toMs - 30 * minute,
    toMs,
    stepMs: minute,
  });
};

describe.each(vmVersions)('the load of a site, %s', (version) => {
  const start = async (options: VmOptions = {}) => {
    const vm = await startVictoriaMetrics({ version, ...options });
    onTestFinished(() => vm.stop());
    return vm;
  };

  test('is read whole from an idle one, empty or not', async () => {
    const vm = await start();
    const database = client(vm.url);
    const seen = {
      latencyMs: expect.any(Number),
      inserts: { used: 0, capacity: expect.any(Number) },
      selects: { used: 0, capacity: expect.any(Number) },
      waits: 0,
      pendingRows: 0,
      rows: 0,
      slowRows: 0,
      freeBytes: expect.any(Number),
      keptFreeBytes: expect.any(Number),
      readOnly: false,
    };
    const empty = await database.load();
    expect(empty).toEqual(seen);
    expect(empty.selects?.capacity).toBeGreaterThan(0);
    expect(empty.inserts?.capacity).toBeGreaterThan(0);
    expect(empty.freeBytes).toBeGreaterThan(empty.keptFreeBytes ?? 0);
    await fill(vm, recent(20));
    // `/metrics` is refreshed once a second.
    await expect
      .poll(() => database.load(), { timeout: 30_000 })
      .toMatchObject({ rows: 20 * 30, slowRows: 20, readOnly: false });
  });

  test('asks for a few metrics that have data, named as they are', async () => {
    const vm = await start();
    await fill(vm, recent(20));
    const proxy = await startFaultProxy({ target: vm.url });
    onTestFinished(() => proxy.stop());
    const database = client(proxy.url);
    await database.load();
    await database.load();
    const asked = proxy.requests.map(({ path, status }) => `${path} ${status}`);
    expect(asked).toEqual([
      '/metrics 200',
      '/api/v1/label/__name__/values 200',
      '/api/v1/query 200',
      '/metrics 200',
      '/api/v1/query 200',
    ]);
  });

  test('shows slots in use', async () => {
    const vm = await start();
    const toMs = Math.floor(Date.now() / minute) * minute;
    const fromMs = toMs - 5_000 * minute;
    await fill(vm, makeSeries({ count: 100, fromMs, toMs, stepMs: minute }));
    const database = client(vm.url);
    // Exports that nobody reads: more than the connections hold on their way.
    const abort = new AbortController();
    const all = new URLSearchParams({ 'match[]': '{__name__!=""}', start: String(fromMs / 1000) });
    const exports = Array.from({ length: 2 }, () =>
      fetch(`${vm.url}/api/v1/export?${all}`, { signal: abort.signal }),
    );
    await Promise.all(exports);
    await expect
      .poll(async () => (await database.load()).selects?.used, { timeout: 30_000 })
      .toBe(2);
    abort.abort();
    await expect
      .poll(async () => (await database.load()).selects?.used, { timeout: 30_000 })
      .toBe(0);
  });

  test('shows that it is read-only', async () => {
    const vm = await start({ flags: ['-storage.minFreeDiskSpaceBytes=1000000000000000'] });
    const seen = await client(vm.url).load();
    expect(seen).toMatchObject({ readOnly: true, keptFreeBytes: 1e15 });
    expect(seen.freeBytes).toBeGreaterThan(0);
  });

  test('behind vmauth is what its answers tell', async () => {
    const vm = await start();
    const vmauth = await startVmauth({ version, target: vm.url });
    onTestFinished(() => vmauth.stop());
    const { username, password } = vmauth;
    expect(await client(vmauth.url, { username, password }).load()).toEqual({
      latencyMs: expect.any(Number),
    });
  });

  test('is the time that it takes to answer', async () => {
    const vm = await start();
    const proxy = await startFaultProxy({ target: vm.url });
    onTestFinished(() => proxy.stop());
    const database = client(proxy.url);
    await database.load();
    proxy.setFault({ kind: 'delay', ms: 300, path: '/api/v1/query' });
    expect((await database.load()).latencyMs).toBeGreaterThanOrEqual(299);
    proxy.setFault({ kind: 'answer', status: 429, path: '/api/v1/query' });
    expect(await errorOf(database.load())).toMatchObject({ kind: 'busy', site: 'primary' });
    proxy.setFault({ kind: 'black-hole', path: '/api/v1/query' });
    expect((await errorOf(database.load())).message).toContain('did not answer in time');
    await vm.stop();
    proxy.setFault(null);
    expect(await errorOf(database.load())).toMatchObject({ kind: 'retryable' });
  });
});
