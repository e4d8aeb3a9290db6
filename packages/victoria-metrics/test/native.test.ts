import {
  makeSeries,
  startVictoriaMetrics,
  startVmauth,
  type VmServer,
  type VmVersion,
  vmVersions,
} from '@vm-sync/testkit';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { nativeIsShared } from '../src/index.ts';
import { client, everything, hour, load, minute, topMs, versionPairs } from './support.ts';

const window = { fromMs: topMs - hour, toMs: topMs };
const request = { selectors: [everything], window };

describe('the native format', () => {
  const sources: VmServer[] = [];
  const destinations: VmServer[] = [];
  const of = (servers: VmServer[], version: VmVersion) =>
    servers[vmVersions.indexOf(version)] as VmServer;
  beforeAll(async () => {
    for (const version of vmVersions) {
      const vm = await startVictoriaMetrics({ version });
      sources.push(vm);
      await load(vm, makeSeries({ count: 30, ...window, stepMs: minute }));
      destinations.push(await startVictoriaMetrics({ version }));
    }
  });
  afterAll(() => Promise.all([...sources, ...destinations].map((vm) => vm.stop())));

  test.each(versionPairs)(
    '%s to %s: shared by equal versions, and asking writes nothing',
    async (from, to) => {
      const destination = of(destinations, to);
      const shared = await nativeIsShared(
        client(of(sources, from).url).endpoint,
        client(destination.url).endpoint,
        request,
      );
      expect(shared).toBe(from === to);
      await destination.flush();
      expect((await destination.export()).size).toBe(0);
      const names = await fetch(`${destination.url}/api/v1/label/__name__/values?start=0`);
      expect(await names.json()).toMatchObject({ data: [] });
    },
  );

  test('cannot be tried with a source that has nothing there', async () => {
    const there = client(of(sources, 'newest').url).endpoint;
    const here = client(of(destinations, 'newest').url).endpoint;
    expect(
      await nativeIsShared(there, here, { selectors: ['{__name__="nobody"}'], window }),
    ).toBeUndefined();
  });

  test('is tried with whatever selector has something there', async () => {
    const there = client(of(sources, 'newest').url).endpoint;
    const here = client(of(destinations, 'newest').url).endpoint;
    const selectors = ['{__name__="nobody"}', '{__name__="none"}', everything];
    expect(await nativeIsShared(there, here, { selectors, window })).toBe(true);
  });

  describe.each(vmVersions)('behind vmauth, %s', (version) => {
    const guarded = async (target: string, paths?: readonly string[]) => {
      const vmauth = await startVmauth({ version, target, ...(paths ? { paths } : {}) });
      onTestFinished(() => vmauth.stop());
      return client(vmauth.url, { username: vmauth.username, password: vmauth.password }).endpoint;
    };
    const withoutNative = [
      '/api/v1/query',
      '/api/v1/query_range',
      '/api/v1/export',
      '/api/v1/import',
    ];

    test('is shared where its paths are routed', async () => {
      const there = await guarded(of(sources, version).url);
      const here = await guarded(of(destinations, version).url);
      expect(await nativeIsShared(there, here, request)).toBe(true);
    });

    test('is not where the destination does not route them', async () => {
      const here = await guarded(of(destinations, version).url, withoutNative);
      expect(await nativeIsShared(client(of(sources, version).url).endpoint, here, request)).toBe(
        false,
      );
    });

    test('is not where the source does not route them', async () => {
      const there = await guarded(of(sources, version).url, withoutNative);
      expect(
        await nativeIsShared(there, client(of(destinations, version).url).endpoint, request),
      ).toBe(false);
    });
  });

  test('an unreachable side is no answer', async () => {
    const there = await startVictoriaMetrics();
    await load(there, makeSeries({ count: 1, ...window, stepMs: minute }));
    await there.stop();
    const here = client(of(destinations, 'oldest').url).endpoint;
    await expect(nativeIsShared(client(there.url).endpoint, here, request)).rejects.toThrow(
      /refuses connections/,
    );
  });
});
