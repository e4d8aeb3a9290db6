import { isUtf8 } from 'node:buffer';
import { seriesKey, VmSyncError } from '@vm-sync/core';
import {
  damages,
  fuzz,
  makeSeries,
  mutate,
  mutateValue,
  startVictoriaMetrics,
  type VmServer,
  type VmVersion,
  valueDamages,
  vmVersions,
} from '@vm-sync/testkit';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { GridReader } from '../src/grid.ts';
import { VictoriaMetrics } from '../src/index.ts';
import { readLabelSet } from '../src/label-set.ts';
import { LineError, parseLine, readLines } from '../src/lines.ts';
import { MatrixError, readMatrix } from '../src/matrix.ts';
import { sampleTimestamps } from '../src/rows.ts';
import { type Answer, PASSWORD, type Played, startPlayer } from './fuzz-player.ts';
import { assertSound, type Reader, readers, window } from './fuzz-readers.ts';
import {
  isServersFormat,
  parsed,
  type ReferenceSeries,
  referenceLines,
  referenceMatrix,
  textOf,
} from './fuzz-reference.ts';
import { client, collect, load, minute } from './support.ts';

const odd = ['"', '\\', ']}', '"},"values":[[1,"2"]]}', '__proto__', 'ünï\u2028', '\n'].map(
  (value, at) => ({
    labels: { __name__: 'odd', instance: value, [`l${at}`]: 'x' },
    timestamps: [window.toMs - at],
    values: [at % 2 === 0 ? 1.5 : -2e-7],
  }),
);

/** A small database, the end of which nobody needs to wait for. */
async function startFilled(version: VmVersion) {
  const vm = await startVictoriaMetrics({ version });
  await load(vm, [...makeSeries({ count: 4, ...window, stepMs: minute }), ...odd]);
  const special = `{"metric":{"__name__":"odd","instance":"special"},"values":[1,${version === 'oldest' ? '+Inf' : '"Infinity"'},2],"timestamps":[${[3, 2, 1].map((at) => window.toMs - at * minute)}]}`;
  await vm.import([special]);
  const database = new VictoriaMetrics({ site: 'primary', url: vm.url });
  for (const site of ['primary', 'dr'] as const) {
    await database.writeMarker({ site, pair: 'p', atMs: Date.now() });
    await database.writeHeartbeat({ site, onDuty: true, atMs: Date.now() });
  }
  await vm.flush();
  await database.close();
  return vm;
}

const transport = fc.record({
  cuts: fc.array(fc.nat(20_000), { maxLength: 8 }),
  torn: fc.boolean(),
  length: fc.constantFrom(undefined, undefined, undefined, -3, 5, 100_000),
  status: fc.constantFrom(200, 200, 200, 200, 200, 204, 302, 400, 422, 429, 500, 503),
  headers: fc.constantFrom(
    ...[
      {},
      {},
      {},
      { 'content-encoding': 'gzip' },
      { 'content-type': 'text/html; charset=utf-16' },
    ],
    ...[{ 'retry-after': '-1' }, { 'retry-after': '1e999' }, { 'x-long': 'x'.repeat(10_000) }],
  ),
  body: fc.constantFrom(
    ...['as recorded', 'as recorded', 'as recorded', 'as recorded', 'empty', 'a page', 'zeros'],
    ...['an error', 'quotes', 'nested'],
  ),
});
type Transport = typeof transport extends fc.Arbitrary<infer T> ? T : never;

const BODIES: Record<string, string> = {
  empty: '',
  'a page': '<!doctype html><title>Sign in</title>',
  zeros: '\0'.repeat(200_000),
  'an error': `{"status":"error","error":{"toString":1,"authKey=${PASSWORD}":1}}`,
  quotes: `"${'\\"'.repeat(60_000)}`,
  nested: `${'['.repeat(100_000)}${']'.repeat(100_000)}`,
};

function played(answer: Answer, body: Buffer, how: Transport): Played {
  const other = BODIES[how.body];
  const bytes = other === undefined ? body : Buffer.from(other);
  const { length } = how;
  return {
    status: how.status,
    headers: { ...answer.headers, ...how.headers },
    body: bytes,
    cuts: how.cuts,
    torn: how.torn,
    length: length === undefined ? undefined : Math.max(0, bytes.length + length),
  };
}

/** Plain: read as it was written, whatever its parts. */
const plain: Transport = {
  ...{ cuts: [], torn: false, length: undefined, status: 200, headers: {}, body: 'as recorded' },
};

async function outcomeOf(
  asked: Promise<unknown>,
): Promise<{ value: unknown } | { error: unknown }> {
  return asked.then(
    (value) => ({ value: value ?? 'none' }),
    (error: unknown) => ({ error }),
  );
}

/** An error of ours says where, and never a login. */
function assertOurs(error: unknown): void {
  if (!(error instanceof VmSyncError)) throw error;
  expect(error.message).toMatch(
    /^VM (?:query|export|import|metrics|control) error: primary \(http:\/\/127/,
  );
  expect(error.message).not.toContain(PASSWORD);
  expect(error.message.length).toBeLessThan(2_000);
  expect(['retryable', 'busy', 'too-big', 'final']).toContain(error.kind);
}

describe.each(vmVersions)('real answers of the %s version, damaged', (version) => {
  let vm: VmServer;
  beforeAll(async () => {
    vm = await startFilled(version);
  });
  afterAll(() => vm.stop());

  /** What the reader makes of the real server's answers, and a player of these. */
  const record = async (reader: Reader) => {
    const player = await startPlayer();
    player.record(vm.url);
    const database = client(player.url);
    const value = (await reader.ask(database)) ?? 'none';
    const bodies = [...player.recorded.values()].map(({ body }) => body);
    return { player, database, value, bodies };
  };

  test.each(Object.entries(readers))('%s', async (name, reader) => {
    const { player, database, value, bodies } = await record(reader);
    const ask = () => outcomeOf(reader.ask(database));

    const check = async (change: (answer: Answer) => Played, isWhole: boolean): Promise<void> => {
      const given: Buffer[] = [];
      player.play((answer) => {
        const next = change(answer);
        given.push(next.body);
        return next;
      });
      const outcome = await ask();
      if ('error' in outcome) {
        assertOurs(outcome.error);
        if (isWhole) throw outcome.error;
        return;
      }
      assertSound(outcome.value);
      const expected = reader.expected?.(given);
      if (expected !== 'not compared' && reader.expected) expect(outcome.value).toEqual(expected);
    };

    await fuzz(`VM answers: ${name}`, 12, fc.array(fc.nat(20_000), { maxLength: 12 }), (cuts) =>
      check((answer) => played(answer, answer.body, { ...plain, cuts }), true),
    );
    if (reader.expected) expect(value).toEqual(reader.expected(bodies));
    await fuzz(`VM answers: ${name}`, 60, fc.tuple(damages, transport), ([some, how]) =>
      check((answer) => played(answer, mutate(answer.body, some), how), false),
    );
    await fuzz(`VM answers: ${name}`, 60, valueDamages, (some) =>
      check((answer) => played(answer, damagedValue(answer.body, some), plain), false),
    );
  });

  test('range queries in parts, against the whole read at once', async () => {
    const { bodies } = await record(readers['tally'] as Reader);
    const { bodies: others } = await record(readers['counts'] as Reader);
    const [body, odds] = [...bodies, ...others] as [Buffer, Buffer];
    const grids = [
      { window, stepMs: 5 * minute },
      { window, stepMs: 60 * minute },
    ] as const;
    const input = fc.tuple(
      fc.nat(1),
      fc.oneof(fc.record({ bytes: damages }), fc.record({ value: valueDamages })),
      fc.array(fc.nat(20_000), { maxLength: 6 }),
    );
    await fuzz('VM answers: range query reader', 1_500, input, async ([which, some, cuts]) => {
      const whole = which === 0 ? body : odds;
      const bytes = 'bytes' in some ? mutate(whole, some.bytes) : damagedValue(whole, some.value);
      const grid = grids[which as 0 | 1];
      const read = await readWhole(bytes, cuts, grid);
      const expected = referenceMatrix(bytes, grid, 'counts');
      if (read && isUtf8(bytes)) expect(read).toEqual(expected);
      else if (read) expect(read.map(numbersOf)).toEqual(expected?.map(numbersOf));
      else if (expected && isServersFormat(bytes)) throw new Error('refused what is right');
    });
  });

  test('lines of an export, against each read by JSON', async () => {
    const { bodies } = await record(readers['values'] as Reader);
    const [body = Buffer.alloc(0)] = bodies;
    expect(body.length).toBeGreaterThan(1_000);
    await fuzz('VM answers: lines of exports', 2_000, damages, async (some) => {
      const bytes = mutate(body, some);
      const expected = referenceLines(bytes, false);
      const read = await timestampsOf(bytes);
      if (!read) expect(some.length).toBeGreaterThan(0);
      else if (!expected) throw new Error(`taken: ${diffOf(body, bytes)}`);
      else if (textOf(bytes) === bytes.toString('utf8')) {
        expect(read).toEqual(
          expected && [...expected].map(([key, samples]) => [key, samples.map(([time]) => time)]),
        );
      }
    });
  });
});

function damagedValue(body: Buffer, some: Parameters<typeof mutateValue>[1]): Buffer {
  const value = parsed(textOf(body));
  return value === undefined ? body : Buffer.from(JSON.stringify(mutateValue(value, some)));
}

async function* inParts(bytes: Buffer, cuts: readonly number[]): AsyncGenerator<Buffer> {
  const ends = [...new Set(cuts.map((cut) => cut % (bytes.length + 1)))].sort((a, b) => a - b);
  let from = 0;
  for (const to of [...ends, bytes.length]) {
    yield bytes.subarray(from, to);
    from = to;
  }
}

const numbersOf = ({ numbers }: ReferenceSeries): number[] => numbers;

async function readWhole(
  bytes: Buffer,
  cuts: readonly number[],
  of: ConstructorParameters<typeof GridReader>[0],
): Promise<ReferenceSeries[] | undefined> {
  const grid = new GridReader(of);
  try {
    const series = (await collect(readMatrix(inParts(bytes, cuts)))).flat();
    return series.map(({ metric, values }) => {
      const labels = readLabelSet(Buffer.from(metric, 'latin1'));
      if (!labels) throw new MatrixError('no labels');
      return { labels, numbers: [...grid.read(values)] };
    });
  } catch (error) {
    if (error instanceof MatrixError) return undefined;
    throw error;
  }
}

async function timestampsOf(bytes: Buffer): Promise<unknown[] | undefined> {
  const found = new Map<string, number[]>();
  try {
    for await (const block of readLines(inParts(bytes, [7, 1_000]))) {
      for (const line of block.lines.map(parseLine)) {
        const key = seriesKey(line.labels);
        found.set(key, [...(found.get(key) ?? []), ...sampleTimestamps(line)]);
      }
    }
  } catch (error) {
    if (error instanceof LineError) return undefined;
    throw error;
  }
  return [...found].map(([key, times]) => [key, times.sort((a, b) => a - b)]);
}

/** Where two texts begin to differ. */
function diffOf(body: Buffer, other: Buffer): string {
  const at = body.findIndex((byte, place) => byte !== other[place]);
  return other.toString('latin1', Math.max(0, at - 60), at + 60);
}
