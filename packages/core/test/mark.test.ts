import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  advance,
  applyBackfill,
  dueWindows,
  firstMark,
  giveUpBefore,
  lookBackWindows,
  type Mark,
  makeWindow,
  mergeWindows,
  reopen,
  settledThroughMs,
  verifiedThroughMs,
  type Window,
} from '../src/index.ts';

const step = 10;
const since = 5;
const buckets = 40;

/** Buckets by their number; bucket n is the window `((n - 1) · step, n · step]`. */
const held = (windows: readonly Window[]): Set<number> =>
  new Set(
    windows.flatMap(({ fromMs, toMs }) =>
      Array.from({ length: (toMs - fromMs) / step }, (_, at) => fromMs / step + at + 1),
    ),
  );

const some = fc.array(
  fc
    .tuple(fc.integer({ min: 0, max: buckets }), fc.integer({ min: 1, max: 8 }))
    .map(([from, length]) => makeWindow(from * step, (from + length) * step)),
  { maxLength: 4 },
);

type Act =
  | { kind: 'advance'; more: number; proven: Window[]; damaged: Window[] }
  | { kind: 'backfill'; proven: Window[]; damaged: Window[] }
  | { kind: 'reopen'; windows: Window[] }
  | { kind: 'give up'; before: number };

const acts = fc.array(
  fc.oneof(
    fc.record({
      kind: fc.constant('advance' as const),
      more: fc.integer({ min: -2, max: 6 }),
      proven: some,
      damaged: some,
    }),
    fc.record({ kind: fc.constant('backfill' as const), proven: some, damaged: some }),
    fc.record({ kind: fc.constant('reopen' as const), windows: some }),
    fc.record({ kind: fc.constant('give up' as const), before: fc.integer({ min: 0, max: 20 }) }),
  ),
  { maxLength: 30 },
) as fc.Arbitrary<Act[]>;

/** What is known of time, bucket by bucket, without any windows. */
interface Model {
  since: number;
  through: number;
  open: Set<number>;
  /** Proven although it lies before the mark's beginning. */
  earlier: Set<number>;
}

function apply(act: Act, mark: Mark, model: Model): Mark {
  if (act.kind === 'reopen') {
    for (const bucket of held(act.windows)) lose(model, bucket);
    return reopen(mark, act.windows);
  }
  if (act.kind === 'give up') {
    for (const known of [model.open, model.earlier]) {
      for (const bucket of known) if (bucket <= act.before) known.delete(bucket);
    }
    return giveUpBefore(mark, act.before * step);
  }
  if (act.kind === 'backfill') {
    for (const bucket of held(act.proven)) {
      model.open.delete(bucket);
      if (bucket <= model.since) model.earlier.add(bucket);
    }
    for (const bucket of held(act.damaged)) lose(model, bucket);
    while (model.earlier.delete(model.since)) model.since -= 1;
    return applyBackfill(mark, act);
  }
  const horizon = Math.max(1, model.through + act.more);
  // A check finds only what it looked at: nothing behind its horizon.
  const seen = (windows: Window[]) =>
    windows.flatMap(({ fromMs, toMs }) => {
      const end = Math.min(toMs, horizon * step);
      return fromMs < end ? [makeWindow(fromMs, end)] : [];
    });
  const [proven, damaged] = [seen(act.proven), seen(act.damaged)];
  for (let bucket = model.through + 1; bucket <= horizon; bucket++) model.open.add(bucket);
  for (const bucket of held(proven)) model.open.delete(bucket);
  for (const bucket of held(damaged)) {
    model.open.add(bucket);
    model.earlier.delete(bucket);
  }
  model.through = Math.max(model.through, horizon);
  return advance(mark, horizon * step, { proven, damaged });
}

/** Marked time is due again, history is unproven again. */
function lose(model: Model, bucket: number): void {
  model.earlier.delete(bucket);
  if (bucket > model.since && bucket <= model.through) model.open.add(bucket);
}

test('a mark never moves over time that was not proven', () => {
  fc.assert(
    fc.property(acts, (sequence) => {
      let mark: Mark = {
        sinceMs: since * step,
        throughMs: since * step,
        unproven: [],
        earlier: [],
      };
      const model: Model = { since, through: since, open: new Set(), earlier: new Set() };
      for (const act of sequence) {
        mark = apply(act, mark, model);
        expect(mark.throughMs).toBe(model.through * step);
        expect(held(mark.unproven)).toEqual(model.open);
        expect(mark.sinceMs).toBe(model.since * step);
        expect(held(mark.earlier)).toEqual(model.earlier);
        expect(mergeWindows(mark.earlier)).toEqual(mark.earlier);
        const first = Math.min(...model.open, model.through + 1);
        expect(verifiedThroughMs(mark)).toBe((first - 1) * step);
        // Due is what is open, and all that is newer than what was looked at.
        const horizon = model.through + 3;
        const due = new Set([
          ...model.open,
          model.through + 1,
          model.through + 2,
          model.through + 3,
        ]);
        expect(held(dueWindows(mark, horizon * step))).toEqual(due);
        // Looked at again is the rest of the query window; never what is due, nor what lies before the mark.
        const again = Array.from({ length: 10 }, (_, at) => horizon - at);
        expect(held(lookBackWindows(mark, horizon * step, 10 * step))).toEqual(
          new Set(again.filter((bucket) => bucket > model.since && !due.has(bucket))),
        );
      }
    }),
    { numRuns: 1_000 },
  );
});

test('what is found both proven and damaged is damaged', () => {
  const mark = firstMark(1_000, 500, step);
  const both = [makeWindow(500, 600)];
  expect(
    advance(mark, 1_000, { proven: [makeWindow(500, 1_000)], damaged: both }).unproven,
  ).toEqual(both);
});

test('a first mark begins a query window before the horizon, on the grid, and proves nothing', () => {
  const horizonMs = settledThroughMs(1_234_567, 180_000, 300_000);
  expect(horizonMs).toBe(900_000);
  const mark = firstMark(horizonMs, 500_000, 300_000);
  expect(mark).toEqual({ sinceMs: 300_000, throughMs: 300_000, unproven: [], earlier: [] });
  expect(dueWindows(mark, horizonMs)).toEqual([makeWindow(300_000, 900_000)]);
});

test('a clock that was set back moves no mark back', () => {
  const mark: Mark = { sinceMs: 0, throughMs: 900, unproven: [makeWindow(100, 200)], earlier: [] };
  const after = advance(mark, 500, { proven: [], damaged: [] });
  expect(after).toEqual(mark);
  expect(dueWindows(mark, 500)).toEqual([makeWindow(100, 200)]);
});

test('proof before the mark is kept beside it, and becomes its beginning when it touches', () => {
  const mark: Mark = { sinceMs: 500, throughMs: 900, unproven: [], earlier: [] };
  const apart = applyBackfill(mark, { proven: [makeWindow(100, 300)], damaged: [] });
  expect(apart).toEqual({ ...mark, earlier: [makeWindow(100, 300)] });
  const joined = applyBackfill(apart, { proven: [makeWindow(300, 500)], damaged: [] });
  expect(joined).toEqual({ ...mark, sinceMs: 100 });
  // Damage that a backfill finds is due where time was marked, and only history where it was not.
  const damaged = [makeWindow(200, 600)];
  expect(applyBackfill(apart, { proven: [], damaged })).toEqual({
    ...mark,
    unproven: [makeWindow(500, 600)],
    earlier: [makeWindow(100, 200)],
  });
});
