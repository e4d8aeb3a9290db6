import { describe, expect, test } from 'vitest';
import { LineError, parseLine } from '../src/lines.ts';
import { nativeIsShared } from '../src/native.ts';
import { sampleTimestamps } from '../src/rows.ts';
import { serve } from './http-server.ts';
import { client, errorOf, hour, topMs } from './support.ts';

const window = { fromMs: topMs - hour, toMs: topMs };
const selectors = ['{a="b"}'];
const endS = topMs / 1000;

/** A database that answers this to everything, or by path. */
async function answering(
  body: string | Buffer | ((path: string) => string | Buffer),
  status = 200,
): Promise<ReturnType<typeof client>> {
  const url = await serve((request, response) => {
    response.writeHead(status);
    response.end(typeof body === 'function' ? body(request.url ?? '') : body);
  });
  return client(url);
}

const matrix = (...entries: [labels: object, count: string][]): string =>
  JSON.stringify({
    status: 'success',
    data: {
      resultType: 'matrix',
      result: entries.map(([metric, count]) => ({ metric, values: [[endS, count]] })),
    },
  });

const vector = (...values: unknown[]): string =>
  JSON.stringify({
    status: 'success',
    data: {
      resultType: 'vector',
      result: values.map((value) => ({ metric: {}, value: [1, value] })),
    },
  });

describe('a line of an export', () => {
  const line = (values: string, times: string): string =>
    `{"metric":{"a":"b"},"values":[${values}],"timestamps":[${times}]}`;
  const [one, two] = ['1795646000000', '1795646060000'];

  test.each([
    ['a value that is no number', line('1,2x', `${one},${two}`)],
    ['a value with nothing in front', line('1,.5', `${one},${two}`)],
    ['a value too few', line('1', `${one},${two}`)],
    ['a value too many', line('1,2,3', `${one},${two}`)],
    ['a special value too few', line('null', `${one},${two}`)],
    ['a time that begins with a zero', line('1,2', `${one},0795646060000`)],
    ['a time with a comma in it', line('1,2', `${one},1,95646060000`)],
    ['a fraction of a millisecond', line('1,2', `${one},1795646060.5`)],
  ])('with %s has no samples to be counted', async (_, text) => {
    expect(() => sampleTimestamps(parseLine(Buffer.from(text)))).toThrow(LineError);
    const database = await answering(`${text}\n`);
    const error = await errorOf(database.timestamps({ selectors, window }));
    expect(error).toMatchObject({ kind: 'retryable', site: 'primary' });
  });

  test.each(['0x10', '" 5"', '1e999', '1"2', '-', '+5'])(
    'with the value %s has none to be compared',
    async (value) => {
      const database = await answering(`${line(value, one)}\n`);
      expect(await errorOf(database.values({ selectors, window }))).toMatchObject({
        kind: 'retryable',
      });
    },
  );

  test('that repeats a key of the request does not show it', async () => {
    const database = await answering(
      'remoteAddr: "1.2.3.4"; requestURI: /export?authKey=s3cret; timeout\n',
    );
    const { message } = await errorOf(database.timestamps({ selectors, window }));
    expect(message).toContain('a line that cannot be read');
    expect(message).not.toContain('s3cret');
  });
});

test.each([201, 204, 206])(
  'an export that is answered with %i is not an empty one',
  async (status) => {
    const database = await answering('', status);
    expect((await errorOf(database.timestamps({ selectors, window }))).message).toContain(
      `answered ${status} instead of 200`,
    );
  },
);

test.each([
  true,
  [1_795_646_000],
  '0x10',
  ' 1',
  '1e300',
  '-1',
  String(endS + 3_600),
  String(endS - 7_200),
])('a newest time is not %j', async (value) => {
  const database = await answering(vector(value));
  expect(await errorOf(database.newestSample({ selectors, window }))).toMatchObject({
    kind: 'retryable',
  });
});

test('names that objects inherit are no labels of a series', async () => {
  const request = { selector: '{a="b"}', window, stepMs: hour };
  const counted = await answering(matrix([{}, '5']));
  expect([...(await counted.countsBy('constructor', request))]).toEqual([['', Float64Array.of(5)]]);
  const devices = await answering(
    matrix([{ vmsync_by: 'constructor', vmsync_count: 'series' }, '5']),
  );
  const groups = [{ label: 'instance', selector: '{a="b"}' }];
  expect(await errorOf(devices.deviceCounts({ groups, window }))).toMatchObject({
    kind: 'retryable',
  });
});

test('sums of something else than was asked for are none', async () => {
  const twice = await answering(matrix([{ selector: '0' }, '5'], [{ selector: '0' }, '5']));
  expect(await errorOf(twice.totalSamples({ selectors, window }))).toMatchObject({
    kind: 'retryable',
  });
  const other = await answering(matrix([{}, '5']));
  expect(await errorOf(other.totalSamples({ selectors, window }))).toMatchObject({
    kind: 'retryable',
  });
});

test.each(['-1', '1.5', '0x10', '12345678901234567890'])('a count is not %s', async (count) => {
  const database = await answering(matrix([{ a: 'b' }, count]));
  const request = { selector: '{a="b"}', window, stepMs: hour };
  const read = async () => {
    for await (const _ of database.tally(request));
  };
  expect(await errorOf(read())).toMatchObject({ kind: 'retryable' });
});

test.each(['0x10', ' ', '1"2', '1e999', 'x'])('a sum is not %j', async (sum) => {
  const database = await answering(matrix([{ a: 'b' }, sum]));
  const read = async () => {
    for await (const { sums } of database.sums({ selector: '{a="b"}', window, stepMs: hour })) {
      expect(sums).toEqual([]);
    }
  };
  expect(await errorOf(read())).toMatchObject({ kind: 'retryable' });
});

describe('what a site says of itself', () => {
  const flags = (of: Record<string, string>): string =>
    Object.entries({ retentionPeriod: '1', 'dedup.minScrapeInterval': '60s', ...of })
      .map(([name, value]) => `flag{name="${name}", value="${value}"} 1\n`)
      .join('');
  const site = (page: string) =>
    answering((path) => {
      if (path.startsWith('/metrics')) return page;
      const names = JSON.stringify({ status: 'success', data: ['up'] });
      return path.includes('/label/') ? names : vector('1795646000');
    });

  test.each([
    ['a page that breaks off', `vm_rows 5\n${flags({}).slice(0, -10)}`],
    ['a start that is no time', `process_start_time_seconds 1e300\n${flags({})}`],
    ['a start that is no number', `process_start_time_seconds nothing\n${flags({})}`],
    ['a retention that is no number', flags({ retentionPeriod: '1.2.3' })],
    ['a retention without end', flags({ retentionPeriod: `${'9'.repeat(400)}d` })],
    ['an interval that is none', flags({ 'dedup.minScrapeInterval': 'often' })],
    ['a gauge that is no number', `vm_storage_is_read_only maybe\n${flags({})}`],
  ])('is not believed with %s', async (_, page) => {
    expect(await errorOf((await site(page)).observe())).toMatchObject({ kind: 'retryable' });
  });

  test('is not that it does not deduplicate when it does not say so', async () => {
    const seen = await (await site('vm_rows{type="x"} 5\n')).observe();
    expect(seen.dedupMs).toBeUndefined();
  });

  test('is no load with a gauge that is no number', async () => {
    const database = await site(`vm_free_disk_space_bytes much\n${flags({})}`);
    expect(await errorOf(database.load())).toMatchObject({ kind: 'retryable' });
  });
});

test('markers and heartbeats of a partial answer, or with a time that is none, are not known', async () => {
  const partial = vector().replace('"success"', '"success","isPartial":true');
  expect(await errorOf((await answering(partial)).own())).toMatchObject({ kind: 'retryable' });
  const result = { metric: { rollup: 'tlast_over_time', site: 'dr' }, value: [1, '1e300'] };
  const odd = JSON.stringify({
    status: 'success',
    data: { resultType: 'vector', result: [result] },
  });
  expect(await errorOf((await answering(odd)).own())).toMatchObject({ kind: 'retryable' });
});

test('a native export that names a block of gigabytes is not read to its end', async () => {
  const bytes = Buffer.alloc(64, 0xff);
  const url = await serve((_, response) => {
    // It goes on for as long as somebody reads.
    const more = (): void => void response.write(Buffer.alloc(65_536), () => setImmediate(more));
    response.write(bytes);
    more();
  });
  const [source, destination] = [client(url), client(url)];
  const error = await errorOf(
    nativeIsShared(source.endpoint, destination.endpoint, { selectors, window }),
  );
  expect(error.message).toContain('native blocks that cannot be read');
});

test('an error with many quotes, and one in parts of a byte, are read in no time', async () => {
  const quotes = await answering(`"${'\\"'.repeat(130_000)}`, 400);
  expect(await errorOf(quotes.totalSamples({ selectors, window }))).toMatchObject({
    kind: 'final',
  });
  const labels = { a: 'x'.repeat(100_000) };
  const answer = Buffer.from(matrix([labels, '5']));
  const url = await serve((_, response) => {
    for (const byte of answer) response.write(Buffer.of(byte));
    response.end();
  });
  const counts = await client(url).counts({ selectors, window });
  expect([...counts.values()]).toEqual([5]);
});
