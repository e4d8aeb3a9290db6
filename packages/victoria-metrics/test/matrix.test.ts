import { makeSeries, startVictoriaMetrics, vmVersions } from '@vm-sync/testkit';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { MatrixError, type MatrixSeries, readMatrix } from '../src/matrix.ts';
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

const read = (text: string | Buffer): Promise<MatrixSeries[]> =>
  collect(readMatrix(inParts(Buffer.from(text), [])));

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
  const whole: MatrixSeries[] = JSON.parse(captured.toString()).data.result.map(
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
        expect(await collect(readMatrix(inParts(captured, cuts)))).toEqual(whole);
      }),
    );
    const single = Array.from(captured, (_, at) => at);
    expect(await collect(readMatrix(inParts(captured, single)))).toEqual(whole);
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
  ['a point without a value', answered([entry('{}', '[1]')])],
  ['a value that is no text', answered([entry('{}', '[1,2]')])],
  ['a time that is no number', answered([entry('{}', '["1","2"]')])],
  ['a label that is no text', answered([entry('{"a":1}')])],
  ['a series without labels', answered(['{"values":[[1,"2"]]}'])],
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
  expect(one?.labels['a']).not.toBe(two?.labels['a']);
});
