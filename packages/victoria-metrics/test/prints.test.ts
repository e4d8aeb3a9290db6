import { type Labels, seriesKey } from '@vm-sync/core';
import { type Series, startVictoriaMetrics, type VmServer, vmVersions } from '@vm-sync/testkit';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { client, hour, load, minute, printsOf, topMs } from './support.ts';

const stepMs = 5 * minute;
const slotMs = 15_000;
const window = { fromMs: topMs - hour, toMs: topMs };
const buckets = hour / stepMs;

/** What the database is to answer: occupied slots, and the sum of the sines of the last timestamps in them. */
function reference(series: Series, slot: number): { occupied: number[]; print: number[] } {
  const occupied = new Array<number>(buckets).fill(0);
  const print = new Array<number>(buckets).fill(0);
  for (let endMs = window.fromMs + slot; endMs <= window.toMs; endMs += slot) {
    const last = series.timestamps.findLast((time) => time > endMs - slot && time <= endMs);
    if (last === undefined) continue;
    const bucket = Math.ceil((endMs - window.fromMs) / stepMs) - 1;
    occupied[bucket] = (occupied[bucket] ?? 0) + 1;
    print[bucket] = (print[bucket] ?? 0) + Math.sin(last / 1000);
  }
  return { occupied, print };
}

const seriesAt = (n: string, timestamps: number[]): Series => ({
  labels: { __name__: 'printed', n },
  timestamps,
  values: timestamps.map((_, at) => at),
});

/** 15 s samples, of which a random share is lost; and the same with other losses of equal number. */
const grid = Array.from({ length: hour / slotMs }, (_, at) => window.fromMs + (at + 1) * slotMs);
const subsets = fc.sample(fc.shuffledSubarray(grid, { minLength: 100, maxLength: 220 }), {
  numRuns: 20,
  seed: 11,
});
const ascending = (times: number[]) => [...times].sort((a, b) => a - b);
const jittered = fc.sample(
  fc.uniqueArray(fc.integer({ min: 1, max: hour }), { minLength: 50, maxLength: 300 }),
  { numRuns: 10, seed: 13 },
);
const printed: Series[] = [
  ...subsets.map((times, index) => seriesAt(`lost ${index}`, ascending(times))),
  ...jittered.map((times, index) =>
    seriesAt(
      `jitter ${index}`,
      ascending(times).map((time) => window.fromMs + time),
    ),
  ),
];

/** Two series with equal counts in every bucket, of which the second lost another sample of the third bucket. */
const lostA = grid.filter((_, at) => at !== 45);
const lostB = grid.filter((_, at) => at !== 46);

const fixtures = [
  ...printed,
  seriesAt('a', lostA),
  seriesAt('same as a', lostA),
  seriesAt('b', lostB),
];

const printOf = <T>(prints: Map<string, T>, labels: Labels): T => {
  const found = prints.get(seriesKey(labels));
  if (!found) throw new Error(`no print of ${seriesKey(labels)}`);
  return found;
};

describe('prints', () => {
  const servers: VmServer[] = [];
  beforeAll(async () => {
    for (const version of vmVersions) {
      const vm = await startVictoriaMetrics({ version });
      servers.push(vm);
      await load(vm, fixtures);
    }
  });
  afterAll(() => Promise.all(servers.map((vm) => vm.stop())));
  const request = { selector: '{__name__="printed"}', window, stepMs };

  describe.each(vmVersions)('%s', (version) => {
    const server = () => servers[vmVersions.indexOf(version)] as VmServer;

    test.each([slotMs, minute, 1_000])('agree with the samples, slots of %i ms', async (slot) => {
      const prints = await printsOf(client(server().url), { ...request, slotMs: slot });
      for (const series of fixtures) {
        const expected = reference(series, slot);
        const { occupied, print } = printOf(prints, series.labels);
        expect([...occupied]).toEqual(expected.occupied);
        for (const [at, sum] of print.entries())
          expect(sum).toBeCloseTo(expected.print[at] ?? 0, 9);
      }
    });

    test('differ where equal numbers of different samples are left', async () => {
      const prints = await printsOf(client(server().url), { ...request, slotMs });
      const a = printOf(prints, seriesAt('a', []).labels);
      const same = printOf(prints, seriesAt('same as a', []).labels);
      const b = printOf(prints, seriesAt('b', []).labels);
      expect(same).toEqual(a);
      expect(b.occupied).toEqual(a.occupied);
      const differing = [...a.print].flatMap((sum, at) =>
        Math.abs(sum - (b.print[at] ?? 0)) > 1e-6 ? [at] : [],
      );
      expect(differing).toEqual([2]);
    });

    test('a label named rollup makes no print wrong', async () => {
      const vm = server();
      const one = (timestamps: number[], rollup?: string): Series => ({
        labels: { __name__: 'rolled', ...(rollup === undefined ? {} : { rollup }) },
        timestamps,
        values: timestamps.map(() => 1),
      });
      const plain = one(lostA);
      await load(vm, [one(lostB, 'count_over_time'), one(lostB, 'sum_over_time'), plain]);
      const prints = await printsOf(client(vm.url), {
        ...request,
        selector: '{__name__="rolled"}',
        slotMs,
      });
      // Those with the label are told apart by their rows, the one without it by its own samples only.
      expect([...prints.keys()]).toEqual([seriesKey(plain.labels)]);
      const { occupied, print } = printOf(prints, plain.labels);
      const expected = reference(plain, slotMs);
      expect([...occupied]).toEqual(expected.occupied);
      for (const [at, sum] of print.entries()) expect(sum).toBeCloseTo(expected.print[at] ?? 0, 9);
    });
  });

  test('both versions give the same digits', async () => {
    const [oldest, newest] = await Promise.all(
      servers.map((vm) => printsOf(client(vm.url), { ...request, slotMs })),
    );
    expect(newest).toEqual(oldest);
  });
});
