import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  exportRaw,
  importSeries,
  makeSeries,
  startVictoriaMetrics,
  startVmauth,
  type Vmauth,
  type VmServer,
  vmVersions,
} from '../src/index.ts';

describe.each(vmVersions)('vmauth, %s', (version) => {
  let vm: VmServer;
  let proxy: Vmauth;
  beforeAll(async () => {
    vm = await startVictoriaMetrics({ version });
    proxy = await startVmauth({ version, target: vm.url, username: 'me', password: 'a secret' });
  });
  afterAll(async () => {
    await proxy.stop();
    await vm.stop();
  });

  test('passes what is routed, for the right login', async () => {
    const now = Date.now();
    const series = makeSeries({ count: 2, fromMs: now - 60_000, toMs: now, stepMs: 15_000 });
    await importSeries(proxy.url, series, { auth: proxy.auth });
    await vm.flush();
    expect((await exportRaw(proxy.url, { auth: proxy.auth })).size).toBe(2);
    await expect(exportRaw(proxy.url)).rejects.toThrow('answered 401');
  });

  test('refuses what is not routed', async () => {
    const authorization = `Basic ${Buffer.from('me:a secret').toString('base64')}`;
    const answer = await fetch(`${proxy.url}/internal/force_flush`, { headers: { authorization } });
    expect(answer.status).toBe(400);
  });
});
