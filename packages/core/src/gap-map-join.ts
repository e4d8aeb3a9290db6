import {
  axisWindow,
  type GapMap,
  type GapMapAxis,
  type GapMapRow,
  gapMapAxis,
  missingIn,
  spread,
} from './gap-map.ts';

/** What was missing when a divergence was found, at its worst, and what the last check found missing. */
export interface GapMaps {
  /** Kept until the next divergence; null as long as none was ever found. */
  readonly before: GapMap | null;
  /** Null when the last check found nothing missing. */
  readonly now: GapMap | null;
  /** Of the last check that found out anything. */
  readonly checkedMs: number;
  /** When the divergence of `before` was found. */
  readonly sinceMs: number | null;
}

/** The maps after a check that could compare. `sinceMs` is when the divergence under way was found; null when there is none. */
export function nextGapMaps(
  last: GapMaps | undefined,
  now: GapMap | null,
  { checkedMs, sinceMs }: Pick<GapMaps, 'checkedMs' | 'sinceMs'>,
): GapMaps {
  const before = last?.before ?? null;
  const known = { checkedMs, sinceMs: last?.sinceMs ?? null };
  if (!now) return { before, now, ...known };
  const isSame = sinceMs !== null && last?.sinceMs === sinceMs;
  if (!before || !isSame) return { before: now, now, checkedMs, sinceMs };
  return { before: worstOf(before, now), now, ...known };
}

/** The same map in other columns, which hold all of its time: every number is spread evenly over its own. */
export function onAxis(map: GapMap, axis: GapMapAxis): GapMap {
  const moved = (numbers: readonly number[]) => {
    const into = Array.from({ length: axis.columns }, () => 0);
    for (const [at, amount] of numbers.entries()) {
      const fromMs = map.fromMs + at * map.columnMs;
      spread(into, axis, { fromMs, toMs: fromMs + map.columnMs }, amount);
    }
    return into;
  };
  const rows = map.rows.map(({ group, ...of }) => {
    const missing = moved(of.missing);
    // Rounded each by itself, one could be lost where none was expected.
    const expected = moved(of.expected).map((held, at) => Math.max(held, missing[at] ?? 0));
    return { group, expected, missing };
  });
  return { ...map, ...axisOf(axis), rows };
}

const axisOf = ({ fromMs, columnMs, columns }: GapMapAxis): GapMapAxis => ({
  fromMs,
  columnMs,
  columns,
});

/** Columns that hold both maps' time. */
export function sharedAxis(one: GapMapAxis, other: GapMapAxis): GapMapAxis {
  const widest = Math.max(one.columnMs, other.columnMs);
  return gapMapAxis([axisWindow(one), axisWindow(other)], widest);
}

/** For each group and column the worse of the two; where they are grouped by different labels, the one that lacks more. */
function worstOf(before: GapMap, now: GapMap): GapMap {
  if (before.label !== now.label || before.direction !== now.direction) {
    return missingIn(now) > missingIn(before) ? now : before;
  }
  const axis = sharedAxis(before, now);
  const [one, other] = [onAxis(before, axis), onAxis(now, axis)];
  const later = new Map(other.rows.map((row) => [row.group, row]));
  const rows = one.rows.map((row) => {
    const again = later.get(row.group);
    later.delete(row.group);
    return again ? worseRow(row, again) : row;
  });
  return withFewerRows({ ...one, rows: [...rows, ...later.values()] }, ROWS_KEPT);
}

const ROWS_KEPT = 31;

const worseRow = (a: GapMapRow, b: GapMapRow): GapMapRow => ({
  group: a.group,
  missing: a.missing.map((lost, at) => Math.max(lost, b.missing[at] ?? 0)),
  expected: a.expected.map((held, at) => Math.max(held, b.expected[at] ?? 0)),
});

const rowMissing = ({ missing }: GapMapRow): number => missing.reduce((all, one) => all + one, 0);

/** The worst rows; the others are added to the last one, which has no group. */
export function withFewerRows(map: GapMap, most: number): GapMap {
  const named = map.rows
    .filter(({ group }) => group !== null)
    .sort((a, b) => rowMissing(b) - rowMissing(a));
  const others = map.rows.filter(({ group }) => group === null);
  const room = named.length + others.length <= most ? named.length : most - 1;
  const rest = [...others, ...named.slice(room)];
  const add = (key: 'missing' | 'expected') =>
    Array.from({ length: map.columns }, (_, at) =>
      rest.reduce((total, row) => total + (row[key][at] ?? 0), 0),
    );
  const last = { group: null, missing: add('missing'), expected: add('expected') };
  return { ...map, rows: [...named.slice(0, room), ...(rest.length > 0 ? [last] : [])] };
}

/** The same map with columns twice as wide. */
export function coarser(map: GapMap): GapMap {
  return onAxis(map, gapMapAxis([axisWindow(map)], map.columnMs * 2));
}
