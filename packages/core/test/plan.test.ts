import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  type Chunk,
  type Gap,
  gapsOfSeries,
  type Labels,
  lengthMs,
  makeWindow,
  meets,
  newestFirst,
  PLAN_LIMITS,
  parseSelectors,
  planSlice,
  type Selector,
  scopeOf,
} from '../src/index.ts';

const stepMs = 300_000;
const fromMs = 1_795_460_400_000;
const buckets = 6;
const window = makeWindow(fromMs, fromMs + buckets * stepMs);

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

/** Series of a source with what the destination lacks of each, bucket by bucket. */
const series = fc.uniqueArray(
  fc.record({
    labels: labelSet,
    missing: fc.oneof(
      fc.constant(new Array<number>(buckets).fill(20)),
      fc.constant(new Array<number>(buckets).fill(0)),
      fc.array(fc.constantFrom(0, 0, 5, 20), { minLength: buckets, maxLength: buckets }),
    ),
  }),
  { selector: ({ labels }) => JSON.stringify(Object.entries(labels).sort()), maxLength: 25 },
);

const limits = fc.record({
  samplesPerChunk: fc.constantFrom(20, 50, 200, 1_000_000),
  seriesPerChunk: fc.constantFrom(1, 3, 200),
  chunksPerRun: fc.constant(500),
});

const isIn = (labels: Labels, chunk: Chunk): boolean =>
  chunk.selectors.some((text) => parseSelectors(text).some((one) => meets(one, labels)));

describe('a plan', () => {
  test('brings every missing sample, stays within its scope and its bounds', () => {
    fc.assert(
      fc.property(series, scopes, limits, (all, scope, bounds) => {
        const source = all.filter(({ labels }) => meets(scope, labels));
        const gaps = source.flatMap(({ labels, missing }) =>
          gapsOfSeries(labels, missing, { fromMs, stepMs }),
        );
        const sourceSeries = new Map(
          [...Map.groupBy(source, ({ labels }) => labels['__name__'] ?? '')].map(([name, some]) => [
            name,
            some.length,
          ]),
        );
        const chunks = planSlice({ selector: scope, window, sourceSeries, gaps }, stepMs, bounds);
        for (const { labels, missing } of source) {
          for (const [at, lost] of missing.entries()) {
            if (lost === 0) continue;
            const endMs = fromMs + (at + 1) * stepMs;
            const covering = chunks.filter(
              (chunk) =>
                chunk.window.fromMs <= endMs - stepMs &&
                endMs <= chunk.window.toMs &&
                isIn(labels, chunk),
            );
            expect(covering.length).toBeGreaterThan(0);
          }
        }
        for (const chunk of chunks) {
          expect(chunk.selectors.length).toBeGreaterThan(0);
          expect(chunk.selectors.length).toBeLessThanOrEqual(Math.max(1, bounds.seriesPerChunk));
          expect(chunk.series).toBeGreaterThan(0);
          expect((chunk.window.fromMs - fromMs) % stepMs).toBe(0);
          expect(lengthMs(chunk.window) % stepMs).toBe(0);
          expect(chunk.window.fromMs >= window.fromMs && chunk.window.toMs <= window.toMs).toBe(
            true,
          );
          // A single bucket of a name cannot be divided further here; the worker halves what is too big.
          if (lengthMs(chunk.window) > stepMs) {
            expect(chunk.samples).toBeLessThanOrEqual(2 * bounds.samplesPerChunk);
          }
          // What is excluded is never copied.
          for (const { labels } of all)
            if (!meets(scope, labels)) expect(isIn(labels, chunk)).toBe(false);
        }
        const missing = gaps.reduce((sum, gap) => sum + gap.missing, 0);
        const planned = chunks.reduce((sum, chunk) => sum + chunk.samples, 0);
        expect(planned).toBeGreaterThanOrEqual(missing - 1e-6);
        expect(planned).toBeLessThanOrEqual(missing + chunks.length);
      }),
      { numRuns: 1_000 },
    );
  });

  test('of a whole outage is one chunk, whatever the number of series', () => {
    const labels = Array.from({ length: 1_000 }, (_, at) => ({
      __name__: `m${at % 7}`,
      n: String(at),
    }));
    const gaps = labels.map((one): Gap => ({ labels: one, ...window, missing: 120 }));
    const sourceSeries = new Map(
      Array.from({ length: 7 }, (_, at) => [`m${at}`, at < 6 ? 143 : 142]),
    );
    const plan = (lost: readonly Gap[]) =>
      planSlice({ selector: everything, window, sourceSeries, gaps: lost }, stepMs, PLAN_LIMITS);
    expect(plan(gaps)).toEqual([
      { selectors: ['{__name__!=""}'], window, series: 1_000, samples: 120_000 },
    ]);
    const [named, ...none] = plan(
      gaps.filter(({ labels: { __name__ } }) => __name__ === 'm1' || __name__ === 'm2'),
    );
    expect(none).toEqual([]);
    expect(named?.selectors).toEqual(['{__name__=~"m1|m2",__name__!=""}']);
    const some = plan(gaps.slice(0, 300));
    expect(some.map(({ selectors }) => selectors.length)).toEqual([200, 100]);
  });

  test('of scattered losses has no more stretches of time than there are buckets', () => {
    const gaps = Array.from({ length: 500 }, (_, at): Gap[] =>
      gapsOfSeries(
        { __name__: 'm', n: String(at) },
        Array.from({ length: buckets }, (_, bit) => ((at >> bit) & 1 ? 3 : 0)),
        { fromMs, stepMs },
      ),
    ).flat();
    const sourceSeries = new Map([['m', 10_000]]);
    const chunks = planSlice(
      { selector: everything, window, sourceSeries, gaps },
      stepMs,
      PLAN_LIMITS,
    );
    const stretches = new Set(chunks.map((chunk) => `${chunk.window.fromMs} ${chunk.window.toMs}`));
    expect(stretches.size).toBeLessThanOrEqual(buckets);
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
    const nothing = { selector: everything, window, sourceSeries: new Map(), gaps: [] };
    expect(planSlice(nothing, stepMs, PLAN_LIMITS)).toEqual([]);
  });
});
