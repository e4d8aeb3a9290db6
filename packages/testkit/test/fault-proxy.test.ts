import { gzipSync } from 'node:zlib';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import {
  countSamples,
  exportRaw,
  type FaultProxy,
  importSeries,
  makeSeries,
  startFaultProxy,
  startVictoriaMetrics,
  until,
  type VmServer,
} from '../src/index.ts';

const toMs = Math.floor(Date.now() / 60_000) * 60_000;
const shape = { count: 10, fromMs: toMs - 3_600_000, toMs, stepMs: 1000 };

describe('fault proxy', () => {
  let vm: VmServer;
  let proxy: FaultProxy;
  beforeAll(async () => {
    vm = await startVictoriaMetrics();
    await vm.import(makeSeries({ ...shape, names: ['stored'] }));
    await vm.flush();
  });
  afterAll(() => vm.stop());
  beforeEach(async () => {
    proxy = await startFaultProxy({ target: vm.url });
  });
  afterEach(() => proxy.stop());

  const stored = async (): Promise<number> =>
    countSamples((await exportRaw(proxy.url, { match: ['stored'], timeoutMs: 3000 })).values());
  const count = async (name: string): Promise<number> => {
    await vm.flush();
    return (await vm.export({ match: [name] })).size;
  };

  test('passes everything on when nothing is wrong, and keeps a record', async () => {
    expect(await stored()).toBe(36_000);
    const direct = await fetch(`${vm.url}/api/v1/export?match[]=stored`);
    const { length } = await direct.text();
    expect(proxy.requests).toEqual([
      {
        method: 'POST',
        path: '/api/v1/export',
        status: 200,
        sent: expect.any(Number),
        bytes: length,
      },
    ]);
  });

  test('shifts what the server says of its clock, and nothing else', async () => {
    const ask = async (query: string): Promise<number> => {
      const url = `${proxy.url}/api/v1/query?nocache=1&query=${encodeURIComponent(query)}`;
      const { data } = await (await fetch(url)).json();
      return Number(data.result[0].value[1]);
    };
    proxy.setFault({ kind: 'shift-clock', ms: -600_000 });
    const before = Date.now();
    const told = (await ask('now()')) * 1000 + 600_000;
    expect(told).toBeGreaterThanOrEqual(before - 1);
    expect(told).toBeLessThanOrEqual(Date.now() + 1);
    expect(await ask('42')).toBe(42);
    expect(await stored()).toBe(36_000);
  });

  test('streams a big import', async () => {
    await importSeries(proxy.url, makeSeries({ ...shape, count: 50, names: ['streamed'] }));
    expect(await count('streamed')).toBe(50);
  });

  test('delays and answers by path, only the first requests', async () => {
    proxy.setFault([
      { kind: 'delay', ms: 200, path: '/export' },
      { kind: 'answer', status: 429, headers: { 'retry-after': '7' }, body: 'busy', first: 1 },
    ]);
    const began = performance.now();
    const answer = await fetch(`${proxy.url}/api/v1/export?match[]=stored`);
    expect(performance.now() - began).toBeGreaterThan(190);
    expect(answer.status).toBe(429);
    expect(answer.headers.get('retry-after')).toBe('7');
    expect(await answer.text()).toBe('busy');
    expect(await stored()).toBe(36_000);
    expect(proxy.requests.map(({ status }) => status)).toEqual([429, 200]);
  });

  test('tears an answer off', async () => {
    proxy.setFault({ kind: 'cut', afterBytes: 1000, end: 'reset', path: /export$/ });
    await expect(stored()).rejects.toThrow();
    expect(proxy.requests).toMatchObject([{ status: 200, bytes: 1000 }]);
  });

  test('ends an answer early as if it were complete', async () => {
    proxy.setFault({ kind: 'cut', afterBytes: 1000, end: 'clean' });
    const answer = await fetch(`${proxy.url}/api/v1/export?match[]=stored`, {
      headers: { 'accept-encoding': 'identity' },
    });
    expect(await answer.text()).toHaveLength(1000);
    await expect(stored()).rejects.toThrow('JSON');
  });

  test.each(['plain', 'gzip'])('loses a share of an import: %s', async (how) => {
    proxy.setFault({ kind: 'drop-rows', keepShare: 0.3, path: '/api/v1/import' });
    const lines = Array.from(
      { length: 10 },
      (_, i) =>
        `{"metric":{"__name__":"lossy_${how}","n":"${i}"},"values":[1],"timestamps":[${toMs}]}\n`,
    ).join('');
    const answer = await fetch(`${proxy.url}/api/v1/import`, {
      method: 'POST',
      ...(how === 'gzip'
        ? { body: gzipSync(lines), headers: { 'content-encoding': 'gzip' } }
        : { body: lines }),
    });
    expect(answer.status).toBe(204);
    expect(await count(`lossy_${how}`)).toBe(3);
  });

  test('swallows requests', async () => {
    proxy.setFault({ kind: 'black-hole', first: 1 });
    const lost = fetch(`${proxy.url}/health`, { signal: AbortSignal.timeout(300) });
    await expect(lost).rejects.toThrow('timeout');
    expect((await fetch(`${proxy.url}/health`)).status).toBe(200);
    expect(proxy.requests.map(({ status }) => status)).toEqual([0, 200]);
  });

  test('answers 502 while the server is down', async () => {
    await vm.stop();
    const answer = await fetch(`${proxy.url}/health`);
    await vm.start();
    expect(answer.status).toBe(502);
  });

  test('a client that leaves ends the request behind', async () => {
    proxy.setFault({ kind: 'delay', ms: 1, path: '/export' });
    const client = new AbortController();
    const answer = await fetch(`${proxy.url}/api/v1/export?match[]=stored`, {
      signal: client.signal,
    });
    client.abort();
    await expect(answer.text()).rejects.toThrow('aborted');
    await until('a new request to pass', async () => (await fetch(`${proxy.url}/health`)).ok);
  });
});
