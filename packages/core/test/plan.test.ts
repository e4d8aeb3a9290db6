import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  type Chunk,
  type ComparedSlice,
  gapsOfSeries,
  type Labels,
  lengthMs,
  makeWindow,
  meets,
  newestFirst,
  PLAN_LIMITS,
  type PlanLimits,
  parseSelectors,
  planGaps,
  type Selector,
  scopeOf,
} from '../src/index.ts';

const stepMs = 300_000;
const fromMs = 1_795_460_400_000;
const buckets = 6;

const [everything] = parseSelectors('{__name__!=""}') as [Selector];
const scopes = fc.constantFrom(
  everything,
  ...scopeOf([everything], parseSelectors('{job="self",instance="x"}')),
);

const labelSet: fc.Arbitrary<Labels> = fc
  .tuple(
    fc.constantFrom('one', 'two', 'a.b|c', 'näme'),
    fc.dictionary(
      fc.constantFrom('job', 'instance', 'constructor'),
      fc.constantFrom('a', 'self', '"\\'),
    ),
  )
  .map(([__name__, rest]) => ({ __name__, ...rest }));

/** What the destination lacks of a bucket of 20 samples: everything, a part, or nothing. */
const lost = fc.constantFrom(0, 0, 5, 20, 20);

/** Series of a source with what the destination lacks of each, bucket by bucket, over three slices. */
const slices = 3;
const all = slices * buckets;
const series = fc.uniqueArray(
  fc.record({
    labels: labelSet,
    missing: fc.oneof(
      fc.constant(new Array<number>(all).fill(20)),
      fc.constant(new Array<number>(all).fill(0)),
      fc.constant(new Array<number>(all).fill(0).fill(20, 4, 9)),
      fc.array(lost, { minLength: all, maxLength: all }),
    ),
  }),
  { selector: ({ labels }) => JSON.stringify(Object.entries(labels).sort()), maxLength: 25 },
);

const limits: fc.Arbitrary<PlanLimits> = fc.record({
  samplesPerCopy: fc.constantFrom(20, 50, 200, 15_000_000),
  samplesPerDifference: fc.constantFrom(20, 50, 200, 1_000_000),
  seriesPerChunk: fc.constantFrom(1, 3, 200),
  chunksPerRun: fc.constant(100_000),
});

const isIn = (labels: Labels, chunk: Chunk): boolean =>
  chunk.selectors.some((text) => parseSelectors(text).some((one) => meets(one, labels)));

type Lost = typeof series extends fc.Arbitrary<infer T> ? T : never;

/** What comparisons of a scope show, slice by slice. */
function slicesOf(scope: Selector, source: Lost): ComparedSlice[] {
  return Array.from({ length: slices }, (_, at) => {
    const startMs = fromMs + at * buckets * stepMs;
    const names = new Map(
      [...Map.groupBy(source, ({ labels }) => labels['__name__'] ?? '')].map(([name, some]) => [
        name,
        { series: some.length, samples: some.length * buckets * 20 },
      ]),
    );
    const gaps = source.flatMap(({ labels, missing }) => {
      const part = missing.slice(at * buckets, (at + 1) * buckets);
      const held = part.map((gone) => 20 - gone);
      return gapsOfSeries(labels, part, { fromMs: startMs, stepMs }, held);
    });
    return { scope, window: makeWindow(startMs, startMs + buckets * stepMs), names, gaps };
  });
}

const within = (chunk: Chunk, at: number): boolean =>
  chunk.window.fromMs <= fromMs + at * stepMs && fromMs + (at + 1) * stepMs <= chunk.window.toMs;

describe('a plan', () => {
  test('brings every missing sample exactly once, within its scope and its bounds', () => {
    fc.assert(
      fc.property(series, scopes, limits, (everySeries, scope, bounds) => {
        const source = everySeries.filter(({ labels }) => meets(scope, labels));
        const compared = slicesOf(scope, source);
        const chunks = planGaps(compared, stepMs, bounds);
        for (const { labels, missing } of source) {
          for (const [at, gone] of missing.entries()) {
            if (gone === 0) continue;
            const covering = chunks.filter((chunk) => within(chunk, at) && isIn(labels, chunk));
            expect(covering).toHaveLength(1);
          }
        }
        for (const chunk of chunks) {
          expect(chunk.selectors.length).toBeGreaterThan(0);
          expect(chunk.series).toBeGreaterThan(0);
          expect((chunk.window.fromMs - fromMs) % stepMs).toBe(0);
          expect(lengthMs(chunk.window) % stepMs).toBe(0);
          // What is excluded is never copied.
          for (const { labels } of everySeries)
            if (!meets(scope, labels)) expect(isIn(labels, chunk)).toBe(false);
          if (!chunk.counted) continue;
          // The destination has nothing of these gaps, and this is what the source has.
          const gone = source
            .filter(({ labels }) => isIn(labels, chunk))
            .map(({ missing }) => missing.filter((_, at) => within(chunk, at)))
            .filter((buckets) => buckets.some((some) => some > 0))
            .flat();
          expect(gone.every((some) => some === 20)).toBe(true);
          expect(chunk.samples).toBe(gone.length * 20);
        }
        const missing = compared
          .flatMap(({ gaps }) => gaps)
          .reduce((sum, gap) => sum + gap.missing, 0);
        const planned = chunks.reduce((sum, chunk) => sum + chunk.samples, 0);
        expect(planned).toBeGreaterThanOrEqual(missing - 1e-6);
        expect(planned).toBeLessThanOrEqual(missing + chunks.length);
      }),
      { numRuns: 1_000 },
    );
  });

  /** An outage of all of these series in all slices. */
  const outage = (labels: readonly Labels[]) =>
    slicesOf(
      everything,
      labels.map((one) => ({ labels: one, missing: new Array<number>(all).fill(20) })),
    );
  const thousand = Array.from({ length: 1_000 }, (_, at) => ({
    __name__: `m${at % 7}`,
    n: String(at),
  }));
  const whole = makeWindow(fromMs, fromMs + all * stepMs);

  test('of a whole outage is one chunk, whatever the number of series and slices', () => {
    const samples = 1_000 * all * 20;
    const [chunk, ...more] = planGaps(outage(thousand), stepMs, PLAN_LIMITS);
    expect(more).toEqual([]);
    expect(chunk).toMatchObject({ window: whole, series: 1_000, samples, counted: true });
    expect(chunk?.selectors).toHaveLength(7);
  });

  test('divides too many samples by name, then by a label, and by time last', () => {
    const bounds = { ...PLAN_LIMITS, samplesPerCopy: 60 * all * 20 };
    const chunks = planGaps(outage(thousand), stepMs, bounds);
    expect(chunks.every(({ window }) => lengthMs(window) === lengthMs(whole))).toBe(true);
    expect(chunks.every(({ series }) => series <= 60)).toBe(true);
    expect(chunks.length).toBeLessThan(40);
    const [one] = thousand;
    const single = planGaps(outage(one ? [one] : []), stepMs, { ...bounds, samplesPerCopy: 120 });
    expect(single.map(({ samples }) => samples)).toEqual(new Array(slices).fill(120));
  });

  test('names series where others of the name lack nothing, so many to a chunk', () => {
    const some = outage(thousand).map((slice) => ({
      ...slice,
      gaps: slice.gaps.filter(({ labels }) => Number(labels['n']) < 300),
    }));
    const chunks = planGaps(some, stepMs, PLAN_LIMITS);
    expect(chunks.map(({ selectors }) => selectors.length)).toEqual([200, 100]);
    expect(chunks.every(({ window }) => lengthMs(window) === lengthMs(whole))).toBe(true);
  });

  test('of losses strewn over most series reads the whole name instead of naming each', () => {
    const strewn = slicesOf(
      everything,
      thousand.map((labels, nth) => ({
        labels,
        missing: Array.from({ length: all }, (_, at) => ((nth * 7 + at * 3) % 5 < 3 ? 12 : 0)),
      })),
    );
    const chunks = planGaps(strewn, stepMs, PLAN_LIMITS);
    expect(chunks).toHaveLength(slices);
    expect(chunks.every(({ counted }) => counted === undefined)).toBe(true);
    expect(chunks[0]?.selectors).toHaveLength(7);
  });

  test('says what the series of a chunk have in common, and nothing where they share nothing', () => {
    const [one] = thousand;
    const device = thousand.slice(0, 14).map((labels) => ({ ...labels, device: 'bigip-07' }));
    const about = (labels: Labels[]) =>
      planGaps(outage(labels), stepMs, PLAN_LIMITS).map((chunk) => chunk.about);
    expect(about(device)).toEqual(['bigip-07']);
    expect(about(one ? [one] : [])).toEqual(['m0']);
    expect(about(thousand)).toEqual([undefined]);
  });

  test('never holds more chunks than a run may have; the newest come first', () => {
    const bounds = { ...PLAN_LIMITS, samplesPerCopy: 40, chunksPerRun: 5 };
    const chunks = planGaps(outage(thousand.slice(0, 3)), stepMs, bounds);
    expect(chunks).toHaveLength(5);
    expect(chunks[0]?.window.toMs).toBe(whole.toMs);
  });

  test('begins with the newest', () => {
    const chunk = (at: number, samples: number): Chunk => ({
      selectors: ['{a="b"}'],
      window: makeWindow(at, at + 1),
      series: 1,
      samples,
    });
    const chunks = [chunk(1, 1), chunk(3, 1), chunk(2, 5), chunk(2, 9)];
    expect(newestFirst(chunks)).toEqual([chunk(3, 1), chunk(2, 9), chunk(2, 5), chunk(1, 1)]);
  });

  test('of nothing is nothing', () => {
    expect(planGaps([], stepMs, PLAN_LIMITS)).toEqual([]);
    expect(planGaps(slicesOf(everything, []), stepMs, PLAN_LIMITS)).toEqual([]);
  });
});
