import fc from 'fast-check';
import { expect, test } from 'vitest';
import { LineError, linesWith, parseLine, readLines } from '../src/lines.ts';
import { portableValue } from '../src/number.ts';
import { collect } from './support.ts';

const line = (labels: object, values: readonly unknown[], timestamps: readonly number[]) =>
  Buffer.from(
    `{"metric":${JSON.stringify(labels)},"values":[${values.join(',')}],"timestamps":[${timestamps.join(',')}]}`,
  );

const labelSet = fc.dictionary(fc.string({ minLength: 1 }), fc.string({ unit: 'binary' }), {
  maxKeys: 5,
});

test('any label set and any samples are read as they were written', () => {
  fc.assert(
    fc.property(
      labelSet,
      fc.array(fc.tuple(fc.integer(), fc.nat()), { minLength: 1 }),
      (labels, samples) => {
        const values = samples.map(([value]) => String(value));
        const timestamps = samples.map(([, time]) => time);
        const read = parseLine(line(labels, values, timestamps));
        expect(read.labels).toEqual(JSON.parse(JSON.stringify(labels)));
        expect(read.values(read.length)).toEqual(values);
        expect([...read.timestamps]).toEqual(timestamps);
        expect(read.length).toBe(timestamps.length);
      },
    ),
  );
});

test('a line that was cut anywhere is no line', () => {
  const whole = line(
    { __name__: 'm', a: ']}', b: '],"timestamps":[1]}', c: ',"values":[1' },
    [1, 2, 3],
    [10, 20, 30],
  );
  expect([...parseLine(whole).timestamps]).toEqual([10, 20, 30]);
  for (let length = 0; length < whole.length; length++) {
    expect(() => parseLine(whole.subarray(0, length)), String(length)).toThrow(LineError);
  }
});

test.each([
  'timeout exceeded during query execution',
  '{"status":"error","error":"no"}',
  '{"metric":{"a":"b"},"values":[1],"timestamps":[1]}x',
  'x{"metric":{"a":"b"},"values":[1],"timestamps":[1]}',
  '{"metric":{"a":},"values":[1],"timestamps":[1]}',
  '{"metric":{"a":"b"},"values":[1],"timestamps":[1,]}',
  '{"metric":{"a":"b"},"timestamps":[1],"values":[1]}',
])('%s is no line', (text) => {
  expect(() => {
    const { labels, length } = parseLine(Buffer.from(text));
    return { labels, length };
  }).toThrow(LineError);
});

test('of a line with more or fewer values than timestamps nothing is taken', () => {
  for (const [values, timestamps] of [
    [[1], [1, 2]],
    [[1, 2], [1]],
  ] as const) {
    const read = parseLine(line({ a: 'b' }, values, timestamps));
    expect(() => linesWith(read, () => true)).toThrow(LineError);
  }
});

test('lines come out of any parts; empty ones are skipped', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.string({ unit: 'binary' }).map((text) => text.replaceAll('\n', ' '))),
      fc.array(fc.nat(200)),
      async (lines, cuts) => {
        const bytes = Buffer.from(lines.join('\n'));
        async function* parts() {
          let from = 0;
          for (const cut of cuts.sort((a, b) => a - b)) {
            yield bytes.subarray(from, Math.max(from, cut));
            from = Math.max(from, cut);
          }
          yield bytes.subarray(from);
        }
        const blocks = await collect(readLines(parts()));
        const found = blocks.flatMap((block) => block.lines.map(String));
        const whole = Buffer.concat(blocks.map((block) => block.bytes));
        expect([`${bytes}`, `${bytes}\n`]).toContain(String(whole));
        expect(found).toEqual(
          lines.filter((one) => one !== '').map((one) => Buffer.from(one).toString()),
        );
      },
    ),
  );
});

test.each([
  ['1', '1'],
  ['-1.5e-07', '-1.5e-07'],
  ['1e+300', '1e+300'],
  ['+Inf', '+Inf'],
  ['Inf', '+Inf'],
  ['-Inf', '-Inf'],
  ['"Infinity"', '+Inf'],
  ['"-Infinity"', '-Inf'],
  ['null', undefined],
  ['NaN', undefined],
  ['"NaN"', undefined],
])('the value %s is written %s', (text, portable) => {
  expect(portableValue(text)).toBe(portable);
  const special = text.replaceAll(/[-+\d.e]/g, '') !== '';
  expect(parseLine(line({ null: 'Inf NaN' }, [text], [1])).hasSpecialValues).toBe(special);
});

test('a line of which everything is chosen is passed on as it is, up to any length', () => {
  const count = 25_000;
  const times = Array.from({ length: count }, (_, at) => 1_700_000_000_000 + at);
  const source = parseLine(line({ __name__: 'long' }, new Array(count).fill('1e-07'), times));
  expect(source.length).toBe(count);
  expect([...source.timestamps]).toEqual(times);
  expect(linesWith(source, () => true)).toEqual({ lines: [source.bytes], samples: count });
  expect(linesWith(source, () => false)).toEqual({ lines: [], samples: 0 });
});

test.each([
  '1700000000000,170000000000x',
  '1700000000000,17000000 0000',
  '1700000000000;1700000000000',
  '1700000000000,1700000,00000',
  '-700000000000,1700000000000,',
  // No version keeps fractions of a millisecond.
  '1700000000000,17000000.5',
])('timestamps are not %s', (list) => {
  const text = `{"metric":{"a":"b"},"values":[1,2],"timestamps":[${list}]}`;
  expect(() => parseLine(Buffer.from(text)).timestamps).toThrow(LineError);
});

test.each([
  ['of other lengths', [5, -7, 17_000_000_000_000]],
  ['negative, as long as others', [1_700_000_000_000, -170_000_000_000]],
])('timestamps %s are read as they are', (_, times) => {
  const read = parseLine(line({ a: 'b' }, times, times));
  expect([...read.timestamps]).toEqual(times);
  expect(read.length).toBe(times.length);
});

test('chosen samples are written in lines that an import can take', () => {
  const count = 25_000;
  const values = Array.from({ length: count }, (_, at) => (at % 1000 === 0 ? 'null' : at));
  const timestamps = Array.from({ length: count }, (_, at) => at);
  const source = parseLine(line({ __name__: 'long', odd: '"\\' }, values, timestamps));
  const asked: number[] = [];
  const { lines, samples } = linesWith(source, (time) => {
    asked.push(time);
    return time % 2 === 0;
  });
  const read = lines.map((bytes) => parseLine(bytes));
  expect(read.length).toBe(2);
  const expected = timestamps.filter((time) => time % 2 === 0 && time % 1000 !== 0);
  expect(read.flatMap((one) => [...one.timestamps])).toEqual(expected);
  expect(read.flatMap((one) => one.values(one.length))).toEqual(expected.map(String));
  expect(samples).toBe(expected.length);
  // A staleness marker is no sample: it must not stand for one of the same instant.
  expect(asked).toEqual(timestamps.filter((time) => time % 1000 !== 0));
});
