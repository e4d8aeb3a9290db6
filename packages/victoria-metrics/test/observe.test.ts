import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  startVictoriaMetrics,
  startVmauth,
  temporaryFolder,
  until,
  type VmOptions,
  vmVersions,
} from '@vm-sync/testkit';
import { describe, expect, onTestFinished, test } from 'vitest';
import { serve } from './http-server.ts';
import { client, errorOf, everything, hour, minute, topMs } from './support.ts';

describe.each(vmVersions)('what a site says of itself, %s', (version) => {
  const start = async (options: VmOptions = {}) => {
    const vm = await startVictoriaMetrics({ version, ...options });
    onTestFinished(() => vm.stop());
    return vm;
  };

  test('its settings and its start', async () => {
    const before = Date.now();
    const vm = await start({ dedup: '60s', retention: '30d' });
    const seen = await client(vm.url).observe();
    expect(seen).toEqual({
      site: 'primary',
      url: vm.url,
      startedMs: expect.any(Number),
      dedupMs: minute,
      retentionMs: 30 * 24 * hour,
      readOnly: false,
      clock: { offsetMs: expect.any(Number), uncertaintyMs: expect.any(Number) },
      limits: {
        maxLabelsPerTimeseries: version === 'oldest' ? 30 : 40,
        maxLabelValueLen: version === 'oldest' ? 16_384 : 4_096,
        ...(version === 'oldest' ? {} : { maxLabelNameLen: 256 }),
        'storage.maxHourlySeries': 0,
        'storage.maxDailySeries': 0,
      },
      rewrites: [],
    });
    expect(Number.isSafeInteger(seen.startedMs)).toBe(true);
    expect(Math.abs((seen.startedMs ?? 0) - before)).toBeLessThan(minute);
  });

  test('its clock, right to within half of the time that asking took', async () => {
    const vm = await start();
    const { clock } = await client(vm.url).observe();
    // It is this machine's own.
    expect(Math.abs(clock?.offsetMs ?? Number.NaN)).toBeLessThanOrEqual(
      1 + (clock?.uncertaintyMs ?? 0),
    );
  });

  test('limits and rules that are set', async () => {
    const rules = join(temporaryFolder('rules'), 'relabel.yml');
    await writeFile(rules, '[]');
    const flags = ['maxLabelsPerTimeseries=12', 'storage.maxDailySeries=7'];
    const vm = await start({ flags: [...flags.map((f) => `-${f}`), `-relabelConfig=${rules}`] });
    expect(await client(vm.url).observe()).toMatchObject({
      limits: { maxLabelsPerTimeseries: 12, 'storage.maxDailySeries': 7 },
      rewrites: ['relabelConfig'],
    });
  });

  test.each<[string, number]>([
    ['1', 31 * 24 * hour],
    ['3', 93 * 24 * hour],
    ['2w', 14 * 24 * hour],
    ['100y', 100 * 365 * 24 * hour],
    // Newer versions only; they also write their default so.
    ...(version === 'newest' ? [['6M', 6 * 31 * 24 * hour] as [string, number]] : []),
  ])('a retention of %s', async (retention, retentionMs) => {
    const vm = await start({ retention });
    expect(await client(vm.url).observe()).toMatchObject({ retentionMs, dedupMs: 0 });
  });

  test('a restart shows in its start', async () => {
    const vm = await start();
    const database = client(vm.url);
    const { startedMs: first = 0 } = await database.observe();
    // The instant is told in whole seconds.
    await until('another second', () => Date.now() > first + 2_000);
    await vm.restart();
    expect((await database.observe()).startedMs).toBeGreaterThan(first);
  });

  test('behind vmauth only that it answers', async () => {
    const vm = await start();
    const vmauth = await startVmauth({ version, target: vm.url });
    onTestFinished(() => vmauth.stop());
    const { username, password } = vmauth;
    const database = client(vmauth.url, { username, password });
    expect(await database.observe()).toEqual({
      site: 'primary',
      url: vmauth.url,
      startedMs: undefined,
      dedupMs: undefined,
      retentionMs: undefined,
      readOnly: undefined,
      clock: { offsetMs: expect.any(Number), uncertaintyMs: expect.any(Number) },
    });
    expect(await database.rejectedRows()).toBeUndefined();
    expect(await database.makeVisible()).toBe(false);
    expect(await database.resetCache()).toBe(false);
  });

  test('makes visible and resets where it may', async () => {
    const vm = await start();
    const database = client(vm.url);
    await vm.import([{ labels: { __name__: 'fresh' }, timestamps: [topMs], values: [1] }]);
    expect(await database.makeVisible()).toBe(true);
    const window = { fromMs: topMs - hour, toMs: topMs };
    expect(await database.totalSamples({ selectors: [everything], window })).toBe(1);
    expect(await database.resetCache()).toBe(true);
  });

  test('does neither where keys are asked for', async () => {
    const vm = await start({ flags: ['-forceFlushAuthKey=k', '-search.resetCacheAuthKey=k'] });
    const database = client(vm.url);
    expect(await database.makeVisible()).toBe(false);
    expect(await database.resetCache()).toBe(false);
  });

  test('rows that were thrown away are counted by their reason', async () => {
    const vm = await start({ retention: '30d' });
    const database = client(vm.url);
    const old = Date.now() - 60 * 24 * hour;
    await vm.import([{ labels: { __name__: 'old' }, timestamps: [old, old + 1], values: [1, 2] }]);
    await vm.import(['{"metric":{"__name__":"bad"},"values":[1,2],"timestamps":[1]}']);
    // `/metrics` is refreshed once a second.
    const seen = async () => Object.fromEntries((await database.rejectedRows()) ?? []);
    await expect
      .poll(seen, { timeout: 30_000 })
      .toMatchObject({ small_timestamp: 2, rows_invalid: 1 });
  });
});

test.each([
  ['0', undefined],
  ['12h', 12 * hour],
  ['1M', 31 * 24 * hour],
])('a limit to the age of what is accepted, as newer versions name it: %s', async (age, ms) => {
  const url = await serve((request, response) => {
    const page = `flag{name="retentionPeriod", value="1y", is_set="true"} 1\nflag{name="maxBackfillAge", value="${age}", is_set="true"} 1\n`;
    const answer =
      '{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[1,"1"]}]}}';
    response.end(request.url?.startsWith('/metrics') ? page : answer);
  });
  const seen = await client(url).observe();
  expect(seen).toMatchObject({ retentionMs: 365 * 24 * hour });
  expect(seen.maxBackfillAgeMs).toBe(ms);
});

test.each([
  ['victoria-metrics-20260101-000000-tags-v1.145.0-0-gabc', 'v1.145.0', 'v1.145.0'],
  ['', '', undefined],
])('a build that calls itself %j, %j', async (long, short, version) => {
  const url = await serve((request, response) => {
    const page = `vm_app_version{version="${long}", short_version="${short}"} 1\nflag{name="retentionPeriod", value="1"} 1\n`;
    const answer =
      '{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[1,"1"]}]}}';
    response.end(request.url?.startsWith('/metrics') ? page : answer);
  });
  expect((await client(url).observe()).version).toBe(version);
});

test.each([
  ['{"metric":{},"value":[1795646772,"1795646772.873172"]}', 1_795_646_772_873],
  ['{"metric":{},"value":[1795646772,"nothing"]}', undefined],
  ['{"metric":{},"values":[]}', undefined],
])('the clock of an answer %s', async (result, nowMs) => {
  const url = await serve((request, response) => {
    if (request.url?.startsWith('/metrics')) response.writeHead(404).end();
    else response.end(`{"status":"success","data":{"resultType":"vector","result":[${result}]}}`);
  });
  const before = Date.now();
  const { clock } = await client(url).observe();
  if (nowMs === undefined) expect(clock).toBeUndefined();
  else {
    const { offsetMs, uncertaintyMs } = clock ?? { offsetMs: Number.NaN, uncertaintyMs: 0 };
    expect(nowMs - offsetMs).toBeGreaterThanOrEqual(before - uncertaintyMs - 1);
    expect(nowMs - offsetMs).toBeLessThanOrEqual(Date.now() + uncertaintyMs + 1);
  }
});

test('a page of some other program says nothing about the database', async () => {
  const url = await serve((request, response) => {
    const page = 'process_start_time_seconds 1\nvm_storage_is_read_only 1\n';
    const answer =
      '{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[1,"1"]}]}}';
    response.end(request.url?.startsWith('/metrics') ? page : answer);
  });
  expect(await client(url).observe()).toMatchObject({ startedMs: undefined, readOnly: undefined });
});

test.each([
  ['a web page', '<!doctype html><p>Sign in'],
  ['something else', '{"status":"error"}'],
  ['something else', 'OK'],
  ['something else', '{"status":"success","data":{"resultType":"vector","result":[]}}'],
])('an endpoint that answers %s is no database: %s', async (words, body) => {
  const url = await serve((_, response) => response.end(body));
  const error = await errorOf(client(url).observe());
  expect(error.message).toContain(words);
  expect(error.message).toContain('check that the URL leads to a VictoriaMetrics');
});
