import type { Labels } from '@vm-sync/core';
import { makeSeries, startVictoriaMetrics, vmVersions } from '@vm-sync/testkit';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { GridReader, readGrid } from '../src/grid.ts';
import { readLabelSet } from '../src/label-set.ts';
import { MatrixError, readMatrix } from '../src/matrix.ts';
import { collect, hour, load, minute, topMs } from './support.ts';

const window = { fromMs: topMs - hour, toMs: topMs };

async function* inParts(bytes: Buffer, cuts: readonly number[]): AsyncGenerator<Buffer> {
  const ends = [...new Set(cuts.map((cut) => cut % (bytes.length + 1)))].sort((a, b) => a - b);
  let from = 0;
  for (const to of [...ends, bytes.length]) {
    yield bytes.subarray(from, to);
    from = to;
  }
}

interface Read {
  readonly labels: Labels | undefined;
  readonly values: unknown;
}

/** Everything of an answer: what is left as text by the reader, read as those do who ask for it. */
async function readAll(parts: AsyncIterable<Buffer>): Promise<Read[]> {
  const series = (await collect(readMatrix(parts))).flat();
  return series.map(({ metric, values }) => ({
    labels: readLabelSet(Buffer.from(metric, 'latin1')),
    values: JSON.parse(`[${values}]`),
  }));
}

const read = (text: string | Buffer): Promise<Read[]> => readAll(inParts(Buffer.from(text), []));

describe.each(vmVersions)('a real answer, %s', async (version) => {
  const vm = await startVictoriaMetrics({ version });
  const odd = [']]}', ',{"metric":{', '"},"values":[[1,"2"]]}', 'ünï\u2028', '\\', '}]}}'].map(
    (value, index) => ({
      labels: { __name__: 'odd', value },
      timestamps: [topMs - index],
      values: [1],
    }),
  );
  await load(vm, [...makeSeries({ count: 12, ...window, stepMs: minute }), ...odd]);
  const answer = async (selector: string): Promise<Buffer> => {
    const response = await fetch(`${vm.url}/api/v1/query_range`, {
      method: 'POST',
      body: new URLSearchParams({
        query: `count_over_time(${selector}[5m]) keep_metric_names`,
        start: String((window.fromMs + 5 * minute) / 1000),
        end: String(window.toMs / 1000),
        step: '5m',
        nocache: '1',
      }),
    });
    return Buffer.from(await response.arrayBuffer());
  };
  const captured = await answer('{__name__!=""}');
  const empty = await answer('{__name__="nobody"}');
  await vm.stop();
  const whole: Read[] = JSON.parse(captured.toString()).data.result.map(
    ({ metric, values }: { metric: Record<string, string>; values: [number, string][] }) => ({
      labels: metric,
      values,
    }),
  );

  test('is read as JSON reads it, however it comes in parts', async () => {
    expect(whole).toHaveLength(18);
    expect(await read(captured)).toEqual(whole);
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat(captured.length), { maxLength: 60 }), async (cuts) => {
        expect(await readAll(inParts(captured, cuts))).toEqual(whole);
      }),
    );
    const single = Array.from(captured, (_, at) => at);
    expect(await readAll(inParts(captured, single))).toEqual(whole);
  });

  test('without series has none', async () => {
    expect(await read(empty)).toEqual([]);
  });

  // Every position, not a sample of them: one that reads as a success would be a false count.
  test('is never a success where it was cut', async () => {
    for (const bytes of [captured, empty]) {
      for (let length = 0; length < bytes.length; length++) {
        const cut = bytes.subarray(0, length);
        await expect(read(cut), cut.subarray(-60).toString()).rejects.toThrow(MatrixError);
      }
    }
  });

  test('is never a success where an error text was appended or put in the middle', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(captured.length - 1), async (at) => {
        const broken = Buffer.concat([captured.subarray(0, at), Buffer.from('timeout exceeded\n')]);
        await expect(read(broken)).rejects.toThrow(MatrixError);
      }),
    );
    await expect(read(`${captured}timeout exceeded`)).rejects.toThrow(MatrixError);
  });
});

const entry = (metric: string, values = '[1,"2"]') => `{"metric":${metric},"values":[${values}]}`;
const answered = (entries: string[], head = '"status":"success"', tail = '') =>
  `{${head},"data":{"resultType":"matrix","result":[${entries.join(',')}]}${tail}}`;

test.each([
  ['nothing at all', ''],
  ['a web page', '<html>Sign in</html>'],
  ['some text', 'OK'],
  ['a failure', '{"status":"error","errorType":"422","error":"too much"}'],
  ['a failure with a result', answered([entry('{"a":"b"}')], '"status":"error"')],
  ['a partial result', answered([entry('{"a":"b"}')], '"status":"success","isPartial":true')],
  ['a partial result without series', answered([], '"status":"success","isPartial":true')],
  ['an empty partial result', answered([], '"status":"success"', ',"isPartial":true')],
  ['another result type', answered([]).replace('matrix', 'vector')],
  ['words among the series', answered([entry('{}'), 'timeout exceeded', entry('{}')])],
  ['a list that goes on', answered([entry('{}'), ''])],
  ['a tail without end', `${answered([entry('{}')]).slice(0, -2)}${'x'.repeat(200_000)}`],
  ['a label that is no text', answered([entry('{"a":1}')])],
  ['a series without labels', answered(['{"values":[[1,"2"]]}'])],
  ['a list that is said twice', answered([entry('{}')], undefined, ',"data":{"result":[]}')],
  ['two answers', `${answered([entry('{}')])}${answered([entry('{}')])}`],
  ['a long page', 'x'.repeat(200_000)],
])('%s is no answer', async (_, text) => {
  await expect(read(text)).rejects.toThrow(MatrixError);
});

test('labels that are not UTF-8 stay apart', async () => {
  const bytes = (byte: number) =>
    Buffer.concat([
      Buffer.from('{"metric":{"a":"'),
      Buffer.of(byte),
      Buffer.from('"},"values":[[1,"2"]]}'),
    ]);
  const [head = '', tail = ''] = answered(['@']).split('@');
  const text = Buffer.concat([
    Buffer.from(head),
    bytes(0xe9),
    Buffer.from(','),
    bytes(0xe8),
    Buffer.from(tail),
  ]);
  const [one, two] = await read(text);
  expect(one?.labels?.['a']).toBeTypeOf('string');
  expect(one?.labels?.['a']).not.toBe(two?.labels?.['a']);
});

describe('points', () => {
  const grid = { window: { fromMs: 600_000, toMs: 1_800_000 }, stepMs: 300_000 };

  test.each([
    ['none', '', [0, 0, 0, 0]],
    ['all', '[900,"5"],[1200,"4"],[1500,"0"],[1800,"123456"]', [5, 4, 0, 123_456]],
    ['some', '[1200,"4"],[1800,"1"]', [0, 4, 0, 1]],
    ['written otherwise', '[9e2,"5"], [1200.0,"1e+06"],[1500,"0"]', [5, 1e6, 0, 0]],
    ['of many digits', '[900,"9007199254740991"]', [Number.MAX_SAFE_INTEGER, 0, 0, 0]],
  ])('%s of them', (_, values, expected) => {
    expect([...readGrid(values, grid)]).toEqual(expected);
    const reader = new GridReader(grid);
    expect([...reader.read(values)]).toEqual(expected);
    expect(reader.read(` ${values}`.slice(1))).toBe(reader.read(values));
  });

  test.each([
    '[1]',
    '[900,2]',
    '["900","2"]',
    '[900,"2",3]',
    '[900,""]',
    '[900,"NaN"]',
    '[900,"+Inf"]',
    '[,"2"]',
    '[900"2"]',
    '[900,"2"][1200,"2"]',
    '[900,"2"],',
    '[900,"2"',
    '900,"2"',
    'null',
    '[600,"2"]',
    '[2100,"2"]',
    '[900,"2"],[99999999,"2"]',
    '[900,"2"],[900,"2"]',
    '[1200,"2"],[900,"2"]',
    '[901,"2"]',
    '[900.001,"2"]',
    '[900,"0x10"]',
    '[900," 2"]',
    '[900,"02"]',
    '[900,"1e999"]',
    '[900,"2"],[900.0,"3"]',
  ])('%s is none', (values) => {
    expect(() => readGrid(values, grid)).toThrow(MatrixError);
    expect(() => new GridReader(grid).read(values)).toThrow(MatrixError);
  });

  test.each(['-0.25', '1.5', '-1', '12345678901234567800'])('%s is no count', (text) => {
    const values = `[900,"${text}"]`;
    expect([...readGrid(values, grid)]).toEqual([Number(text), 0, 0, 0]);
    expect(() => new GridReader(grid).read(values)).toThrow(MatrixError);
  });

  test('are read right however many different ones there are', () => {
    const reader = new GridReader(grid);
    for (const round of [1, 2]) {
      for (let at = 0; at < 30_000; at++) {
        const numbers = [at, at % 7, round, at % 3];
        const values = numbers.map((one, index) => `[${900 + 300 * index},"${one}"]`).join();
        if (reader.read(values).some((one, index) => one !== numbers[index])) {
          expect([...reader.read(values)]).toEqual(numbers);
        }
      }
    }
  });
});
