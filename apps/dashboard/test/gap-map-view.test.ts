import type { GapMap, GapMaps } from '@vm-sync/core';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { gapMapView } from '../src/page/gap-map-view.ts';
import { Shared } from '../src/shared.ts';

const STEP_MS = 300_000;
const NOON_MS = Date.UTC(2026, 10, 26, 12);

const mapOf = (rows: GapMap['rows'], columns = rows[0]?.expected.length ?? 1): GapMap => ({
  atMs: NOON_MS,
  direction: 'dr-to-primary',
  label: 'instance',
  basis: 'group',
  fromMs: NOON_MS - columns * STEP_MS,
  columnMs: STEP_MS,
  columns,
  rows,
});

const mapsOf = (before: GapMap | null, now: GapMap | null): GapMaps => ({
  before,
  now,
  checkedMs: NOON_MS,
  sinceMs: NOON_MS,
});

test('neighbouring columns of one level are one stretch, and levels begin where they say', () => {
  const row = {
    group: 'a',
    expected: [0, 100, 100, 100, 100, 100, 100, 100],
    missing: [0, 0, 1, 9, 10, 50, 99, 100],
  };
  const view = gapMapView(mapsOf(mapOf([row]), null));
  expect(view?.rows[0]?.before.stretches.map(({ level, columns }) => [level, columns])).toEqual([
    ['blank', 1],
    ['none', 1],
    ['few', 2],
    ['part', 1],
    ['most', 2],
    ['all', 1],
  ]);
  expect(view?.rows[0]?.now.stretches.map(({ level, columns }) => [level, columns])).toEqual([
    ['blank', 1],
    ['none', 7],
  ]);
  expect(view?.now).toMatchObject({ missing: 0, groups: 0, window: undefined });
});

test('both maps stand in the same columns, whenever they were drawn', () => {
  const row = { group: 'a', expected: [10, 10], missing: [10, 0] };
  const later = { ...mapOf([row]), fromMs: NOON_MS };
  const view = gapMapView(mapsOf(mapOf([row]), later));
  expect(view).toMatchObject({ fromMs: NOON_MS - 2 * STEP_MS, columns: 4 });
  expect(view?.before.window).toEqual({ fromMs: NOON_MS - 2 * STEP_MS, toMs: NOON_MS - STEP_MS });
  expect(view?.now.window).toEqual({ fromMs: NOON_MS, toMs: NOON_MS + STEP_MS });
});

test('groups that lack nothing are shown as far as there is room, and counted beyond', () => {
  const rows = Array.from({ length: 20 }, (_, at) => ({
    group: `i${at}`,
    expected: [10],
    missing: [at === 7 ? 4 : 0],
  }));
  const view = gapMapView(mapsOf(mapOf(rows), null));
  expect(view?.rows).toHaveLength(12);
  expect(view?.rows[0]?.group).toBe('i7');
  expect(view?.whole).toBe(8);
});

test('nothing was ever missing: there is nothing to show', () => {
  expect(gapMapView(mapsOf(null, null))).toBeUndefined();
});

test('however much there is, what is drawn is bounded and no missing sample is lost', () => {
  const rows = fc.integer({ min: 1, max: 31 }).chain((count) =>
    fc.integer({ min: 1, max: 96 }).chain((columns) =>
      fc.array(
        fc.array(fc.nat(20), { minLength: columns, maxLength: columns }).map((missing) => ({
          missing,
          expected: missing.map(() => 20),
        })),
        { minLength: count, maxLength: count },
      ),
    ),
  );
  fc.assert(
    fc.property(rows, fc.boolean(), (all, same) => {
      const named = all.map((row, at) => ({ group: at === 30 ? null : `i${at}`, ...row }));
      const map = mapOf(named);
      const total = named.flatMap(({ missing }) => missing).reduce((sum, one) => sum + one, 0);
      const view = gapMapView(mapsOf(map, same ? map : null));
      if (!view) throw new Error('a map was given');
      expect(view.before.missing).toBe(total);
      expect(view.now.missing).toBe(same ? total : 0);
      const strips = view.rows.flatMap(({ before, now }) => [before, now]);
      const drawn = strips.flatMap(({ stretches }) => stretches);
      expect(drawn.filter(({ level }) => level !== 'none').length).toBeLessThanOrEqual(260);
      for (const { stretches } of strips) {
        expect(stretches.reduce((sum, { columns }) => sum + columns, 0)).toBe(view.columns);
      }
    }),
    { numRuns: 40 },
  );
});

test('what is shared is made once for all who ask, made again after a failure, and when it must be new', async () => {
  let made = 0;
  const shared = new Shared(60_000, async () => {
    made += 1;
    if (made === 1) throw new Error('Redis is away');
    return made;
  });
  await expect(shared.get()).rejects.toThrow('Redis is away');
  expect(await Promise.all(Array.from({ length: 100 }, () => shared.get()))).toEqual(
    Array(100).fill(2),
  );
  expect(await shared.renew()).toBe(3);
  expect(await shared.get()).toBe(3);
});
