import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import {
  startVictoriaMetrics,
  until,
  type VmVersion,
  vmProgramPath,
  vmVersions,
} from '@vm-sync/testkit';
import { openDatabases } from '@vm-sync/victoria-metrics';
import { describe, expect, onTestFinished, test } from 'vitest';
import { type RejectedRows, whyShort } from '../src/why-short.ts';

const counters = (grown: Record<string, number>): RejectedRows => new Map(Object.entries(grown));

test.each<[string, RejectedRows, RejectedRows, string]>([
  [
    'a counter that grew',
    counters({ small_timestamp: 5, too_many_labels: 2 }),
    counters({ small_timestamp: 5, too_many_labels: 9 }),
    'its counters name the cause: too_many_labels 7 (series with more labels than -maxLabelsPerTimeseries are dropped: raise it there)',
  ],
  [
    'several, one of them new and unheard of',
    counters({}),
    counters({ rows_invalid: 1, some_new_reason: 2 }),
    'its counters name the cause: rows_invalid 1 (it could not read these rows: its log shows them), some_new_reason 2 (look at its log for some_new_reason)',
  ],
  [
    'a counter that began anew',
    counters({ rows_invalid: 100 }),
    counters({ rows_invalid: 3 }),
    'its counters name the cause: rows_invalid 3 (it could not read these rows: its log shows them)',
  ],
  [
    'one cause that is counted twice',
    counters({}),
    counters({ daily_limit_exceeded: 4, daily_series_limit_rows_dropped: 4 }),
    'its counters name the cause: daily_limit_exceeded 4 (series beyond -storage.maxDailySeries are dropped: raise it there)',
  ],
  [
    'no counter that grew',
    counters({ small_timestamp: 5 }),
    counters({ small_timestamp: 5 }),
    'none of its counters says why: look at its log and at the proxy before it',
  ],
  [
    'no counters, as behind vmauth',
    undefined,
    undefined,
    'its /metrics cannot be read, so it does not say why: look at its log and at the proxy before it',
  ],
])('%s', (_, before, after, text) => {
  expect(whyShort(before, after)).toBe(text);
});

const second = 1_000;
const labels = (count: number) =>
  Object.fromEntries(Array.from({ length: count }, (_, at) => [`label_${at}`, 'x']));

/** The database counts by a Bloom filter: about one new series in sixteen passes a limit of one. */
const someSeries = (count: number) => Array.from({ length: count }, (_, at) => ({ a: `${at}` }));

/** What makes each version drop rows: the flag that must be named, how it is set, and the series that it refuses. */
const limits: [string, string[], Record<string, string>[], number][] = [
  ['-maxLabelValueLen', ['-maxLabelValueLen=10'], [{ a: 'x'.repeat(11) }], 0],
  ['-maxLabelsPerTimeseries', ['-maxLabelsPerTimeseries=5'], [labels(6)], 0],
  ['-storage.maxHourlySeries', ['-storage.maxHourlySeries=1'], someSeries(8), 0],
  ['-storage.maxDailySeries', ['-storage.maxDailySeries=1'], someSeries(8), 0],
  ['-retentionPeriod', [], [{ a: '1' }], -60 * 86_400 * second],
  ['-futureRetention', [], [{ a: '1' }], 5 * 86_400 * second],
];

describe.each(vmVersions)('a real database, %s', (version: VmVersion) => {
  test.each(limits)('names %s', async (flag, flags, refused, shiftMs) => {
    const vm = await startVictoriaMetrics({ version, flags, retention: '30d' });
    onTestFinished(() => vm.stop());
    const databases = openDatabases({ primary: { url: vm.url }, dr: { url: vm.url } });
    onTestFinished(async () => {
      await databases.primary.close();
      await databases.dr.close();
    });
    const before = await databases.dr.rejectedRows();
    const atMs = Date.now() + shiftMs;
    await vm.import(
      refused.map((more) => ({
        labels: { __name__: 'm', ...more },
        timestamps: [atMs],
        values: [1],
      })),
    );
    // `/metrics` is renewed once a second.
    await until(`${flag} in the reason`, async () => {
      const why = whyShort(before, await databases.dr.rejectedRows());
      if (!why.includes(flag)) throw new Error(why);
      return why;
    });
  });

  test('has every flag that is named', async () => {
    const { stderr, stdout } = await promisify(execFile)(
      vmProgramPath(version, 'victoria-metrics'),
      ['-help'],
      { maxBuffer: 10 ** 7 },
    ).catch((error: { stderr: string; stdout: string }) => error);
    for (const [flag] of limits) {
      if (flag === '-futureRetention' && version === 'oldest') continue;
      expect(`${stdout}${stderr}`).toContain(`  ${flag} `);
    }
  });
});
