import { gzipSync } from 'node:zlib';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import {
  type Fault,
  type FaultProxy,
  makeSeries,
  startFaultProxy,
  startVictoriaMetrics,
  until,
  type VmServer,
} from '../src/index.ts';

const toMs = Math.floor(Date.now() / 60_000) * 60_000;
const shape = { count: 1, fromMs: toMs - 600_000, toMs, stepMs: 1000 };
const exportPath = '/api/v1/export?match[]=stored';

/** Lines of the import API, big enough to be torn apart. */
const linesOf = (name: string, count: number): string =>
  Array.from(
    { length: count },
    (_, n) =>
      `{"metric":{"__name__":"${name}","n":"${n}"},"values":[${n}],"timestamps":[${toMs}]}\n`,
  ).join('');

describe('faults on the way', () => {
  let vm: VmServer;
  let proxy: FaultProxy;
  let whole: string;
  beforeAll(async () => {
    vm = await startVictoriaMetrics();
    await vm.import(makeSeries({ ...shape, names: ['stored'] }));
    await vm.flush();
    whole = await (await fetch(vm.url + exportPath)).text();
  });
  afterAll(() => vm.stop());
  beforeEach(async () => {
    proxy = await startFaultProxy({ target: vm.url });
  });
  afterEach(() => proxy.stop());

  const post = (body: string | Buffer<ArrayBuffer>, headers = {}): Promise<Response> =>
    fetch(`${proxy.url}/api/v1/import`, { method: 'POST', body, headers });
  const series = async (name: string): Promise<number> => {
    await vm.flush();
    return (await vm.export({ match: [name] })).size;
  };

  test('a lost answer: the server has acted, the client sees a reset', async () => {
    proxy.setFault({ kind: 'lost-answer', end: 'reset', path: '/import', first: 1 });
    await expect(post(linesOf('answer_reset', 3))).rejects.toThrow('fetch failed');
    expect(await series('answer_reset')).toBe(3);
    expect(proxy.requests).toMatchObject([{ status: 0, bytes: 0 }]);
    expect((await post(linesOf('answer_reset', 3))).status).toBe(204);
  });

  test('a lost answer: the server has acted, the client waits for ever', async () => {
    proxy.setFault({ kind: 'lost-answer', end: 'silence' });
    const client = new AbortController();
    const waiting = fetch(`${proxy.url}/api/v1/import`, {
      method: 'POST',
      body: linesOf('answer_silent', 3),
      signal: client.signal,
    });
    await until('the server to have acted', async () => (await series('answer_silent')) === 3);
    client.abort();
    await expect(waiting).rejects.toThrow('aborted');
  });

  test('an answer that trickles comes whole once the fault is lifted, and not before', async () => {
    proxy.setFault({ kind: 'drip', bytesPerS: 2000 });
    const text = (await fetch(proxy.url + exportPath)).text();
    await until('the first bytes', () => (proxy.requests[0]?.bytes ?? 0) > 0, { everyMs: 5 });
    expect(proxy.requests[0]?.bytes).toBeLessThan(5000);
    proxy.setFault(null);
    expect(await text).toBe(whole);
  });

  test('an upload that trickles is written as it comes, and whole once the fault is lifted', async () => {
    const body = linesOf('slow', 2000);
    proxy.setFault({ kind: 'slow-request', bytesPerS: 20_000, path: /import/ });
    const answer = post(body);
    await until('the first bytes', () => (proxy.requests[0]?.sent ?? 0) > 0, { everyMs: 5 });
    expect(proxy.requests[0]?.sent).toBeLessThan(body.length / 2);
    proxy.setFault(null);
    expect((await answer).status).toBe(204);
    expect(proxy.requests[0]?.sent).toBe(body.length);
    expect(await series('slow')).toBe(2000);
  });

  test('what stays in force among other faults is not lifted', async () => {
    const slow: Fault = { kind: 'slow-request', bytesPerS: 20_000, path: /import/ };
    proxy.setFault(slow);
    const body = linesOf('kept', 2000);
    const answer = post(body);
    const sent = (): number => proxy.requests[0]?.sent ?? 0;
    await until('the first bytes', () => sent() > 0, { everyMs: 5 });
    proxy.setFault([slow, { kind: 'answer', status: 429, path: '/health' }]);
    const before = sent();
    await until('some more bytes', () => sent() > before, { everyMs: 5 });
    expect(sent()).toBeLessThan(body.length);
    proxy.setFault(null);
    expect((await answer).status).toBe(204);
  });

  test('an upload that is torn off leaves at most what came before', async () => {
    const body = linesOf('torn', 5000);
    proxy.setFault({ kind: 'cut-request', afterBytes: 200_000, first: 1 });
    await expect(post(body)).rejects.toThrow('fetch failed');
    expect(proxy.requests).toMatchObject([{ status: 0, sent: 200_000 }]);
    expect(await series('torn')).toBeLessThan(5000);
    expect((await post(body)).status).toBe(204);
    expect(await series('torn')).toBe(5000);
  });

  test('an upload that ends early as if it were complete is taken for whole', async () => {
    const body = linesOf('early', 10);
    const lineBytes = body.length / 10;
    proxy.setFault({ kind: 'cut-request', afterBytes: 4 * lineBytes, end: 'clean' });
    expect((await post(body)).status).toBe(204);
    expect(await series('early')).toBe(4);
  });

  test('a connection that is reset at once: the server sees nothing of the request', async () => {
    proxy.setFault({ kind: 'reset', first: 1 });
    await expect(post(linesOf('reset', 3))).rejects.toThrow('fetch failed');
    expect(await series('reset')).toBe(0);
    expect((await post(linesOf('reset', 3))).status).toBe(204);
  });

  test("requests for vm-sync's own series can be hit alone", async () => {
    proxy.setFault({ kind: 'answer', status: 429, own: true });
    expect((await fetch(`${proxy.url}/health`)).status).toBe(200);
    expect((await fetch(`${proxy.url}/health?own=vmsync`)).status).toBe(429);
  });

  test('an upload shorter than the cut passes', async () => {
    proxy.setFault({ kind: 'cut-request', afterBytes: 200_000 });
    expect((await post(linesOf('short', 3))).status).toBe(204);
    expect(await series('short')).toBe(3);
  });

  test('corrupts an answer at its length; compressed, the client notices', async () => {
    proxy.setFault({ kind: 'corrupt', everyBytes: 500 });
    await expect(fetch(proxy.url + exportPath).then((it) => it.text())).rejects.toThrow();
    proxy.setFault({ kind: 'corrupt', everyBytes: 500, plain: true });
    const text = await (await fetch(proxy.url + exportPath)).text();
    expect(text).toHaveLength(whole.length);
    const changed = [...text].filter((letter, at) => letter !== whole[at]).length;
    expect(changed).toBe(Math.floor(whole.length / 500));
  });

  test('corrupts digits only, into other digits', async () => {
    proxy.setFault({ kind: 'corrupt', everyBytes: 500, plain: true, digits: true });
    const text = await (await fetch(proxy.url + exportPath)).text();
    expect(text).not.toBe(whole);
    expect(text.replaceAll(/\d/g, '0')).toBe(whole.replaceAll(/\d/g, '0'));
  });

  test.each(['plain', 'gzip'])('corrupts an upload: %s', async (how) => {
    const body = linesOf(`corrupt_${how}`, 10);
    proxy.setFault({ kind: 'corrupt-request', everyBytes: body.length / 2, plain: true });
    const headers = how === 'gzip' ? { 'content-encoding': 'gzip' } : {};
    const answer = await post(how === 'gzip' ? gzipSync(body) : body, headers);
    expect(answer.status).toBe(204);
    expect(proxy.requests).toMatchObject([{ sent: body.length }]);
    expect(await series(`corrupt_${how}`)).toBeLessThan(10);
  });

  test('meets the next request that fits, once, before it is passed on', async () => {
    const order: string[] = [];
    const met = proxy.meet({ path: '/health' }, async () => {
      await vm.kill();
      order.push('met');
    });
    expect((await fetch(`${proxy.url}/metrics`)).status).toBe(200);
    expect(order).toEqual([]);
    expect((await fetch(`${proxy.url}/health`)).status).toBe(502);
    await met;
    await vm.start();
    expect((await fetch(`${proxy.url}/health`)).status).toBe(200);
    expect(order).toEqual(['met']);
  });

  test('a meeting may set the fault that hits its own request, and tells what went wrong with it', async () => {
    const met = proxy.meet({}, () => proxy.setFault({ kind: 'answer', status: 429, first: 1 }));
    expect((await fetch(`${proxy.url}/health`)).status).toBe(429);
    await met;
    const failing = proxy.meet({}, () => {
      throw new Error('no');
    });
    const told = expect(failing).rejects.toThrow('no');
    expect((await fetch(`${proxy.url}/health`)).status).toBe(200);
    await told;
  });
});
