import {
  axisWindow,
  coarser,
  type GapMap,
  type GapMapAxis,
  type GapMapRow,
  type GapMaps,
  onAxis,
  sharedAxis,
  type Window,
  withFewerRows,
} from '@vm-sync/core';

/** How much is missing: in words, in height and in colour. `blank`: the source holds nothing there. */
export type Level = 'blank' | 'none' | 'few' | 'part' | 'most' | 'all';

/** Neighbouring columns of one level. */
export interface Stretch {
  readonly level: Level;
  readonly at: number;
  readonly columns: number;
  readonly window: Window;
  readonly expected: number;
  readonly missing: number;
}

/** One row of one map. */
export interface Strip {
  readonly stretches: readonly Stretch[];
  readonly expected: number;
  readonly missing: number;
}

export interface ViewRow {
  readonly group: string | null;
  readonly before: Strip;
  readonly now: Strip;
}

/** Both maps side by side, in the same rows and columns. */
export interface GapMapView extends GapMapAxis {
  readonly label: string;
  readonly basis: GapMap['basis'];
  readonly direction: GapMap['direction'];
  readonly rows: readonly ViewRow[];
  /** Groups with a row of their own that lack nothing, and are not shown. */
  readonly whole: number;
  readonly before: Totals;
  readonly now: Totals;
}

interface Totals {
  readonly expected: number;
  readonly missing: number;
  /** From the first to the last column in which something is missing; undefined where nothing is. */
  readonly window: Window | undefined;
  /** How many of the shown groups lack something. */
  readonly groups: number;
}

/** Groups that lack nothing are shown as far as this many rows go: they say that others are well. */
const ROWS_WANTED = 12;

/** Bounds the page: so many stretches are drawn. A map that has more is drawn with fewer columns, then rows. */
const STRETCHES_MOST = 260;
const COLUMNS_LEAST = 24;

/** What is shown of the maps; undefined where nothing was ever missing. */
export function gapMapView({ before, now }: GapMaps): GapMapView | undefined {
  const found = before && now && before.label !== now.label ? now : (before ?? now);
  if (!found) return undefined;
  const axis = now ? sharedAxis(found, now) : found;
  let pair = { found: onAxis(found, axis), now: now && onAxis(now, axis) };
  for (;;) {
    const view = viewOf(pair.found, pair.now);
    const drawn = view.rows.flatMap((row) => [...row.before.stretches, ...row.now.stretches]);
    if (drawn.filter(({ level }) => level !== 'none').length <= STRETCHES_MOST) return view;
    pair = smaller(pair);
  }
}

interface MapPair {
  readonly found: GapMap;
  readonly now: GapMap | null;
}

function smaller({ found, now }: MapPair): MapPair {
  if (found.columns > COLUMNS_LEAST) {
    return { found: coarser(found), now: now && coarser(now) };
  }
  const most = Math.max(1, Math.floor(found.rows.length / 2));
  const fewer = withFewerRows(found, most);
  const named = new Set(fewer.rows.map(({ group }) => group));
  return { found: fewer, now: now && withOnly(now, named) };
}

/** The named rows; the others are added up. */
function withOnly(map: GapMap, named: ReadonlySet<string | null>): GapMap {
  const rest = map.rows.filter(({ group }) => !named.has(group) || group === null);
  const kept = map.rows.filter(({ group }) => named.has(group) && group !== null);
  const others = withFewerRows({ ...map, rows: rest }, 1).rows;
  return { ...map, rows: [...kept, ...others] };
}

function viewOf(found: GapMap, now: GapMap | null): GapMapView {
  const later = new Map(now?.rows.map((row) => [row.group, row]));
  const earlier = new Map(found.rows.map((row) => [row.group, row]));
  const groups = [...new Set([...earlier.keys(), ...later.keys()])];
  const all = groups.map((group) => {
    const [a, b] = [earlier.get(group), later.get(group)];
    // Where only one map knows how much there should be, the other lacks nothing of it.
    const known = (a ?? b) as GapMapRow;
    return {
      group,
      before: stripOf(a ?? lackingNothing(known), found),
      now: stripOf(b ?? lackingNothing(known), found),
    };
  });
  const lacks = ({ before, now: left }: ViewRow) => before.missing + left.missing > 0;
  const hurt = all.filter(lacks).sort(worstFirst);
  const well = all.filter((row) => !lacks(row) && row.group !== null);
  const room = Math.max(0, ROWS_WANTED - hurt.length);
  const { label, basis, direction, fromMs, columnMs, columns } = found;
  return {
    label,
    basis,
    direction,
    fromMs,
    columnMs,
    columns,
    rows: [...hurt, ...well.slice(0, room)],
    whole: Math.max(0, well.length - room),
    before: totalsOf(found),
    now: totalsOf(now ?? { ...found, rows: found.rows.map(lackingNothing) }),
  };
}

const lackingNothing = ({ group, expected }: GapMapRow): GapMapRow => ({
  group,
  expected,
  missing: expected.map(() => 0),
});

/** Those without a row of their own come last, whatever they lack. */
function worstFirst(a: ViewRow, b: ViewRow): number {
  if ((a.group === null) !== (b.group === null)) return a.group === null ? 1 : -1;
  return b.now.missing - a.now.missing || b.before.missing - a.before.missing;
}

function stripOf({ expected, missing }: GapMapRow, axis: GapMapAxis): Strip {
  const stretches: Stretch[] = [];
  let [allExpected, allMissing] = [0, 0];
  for (let at = 0; at < axis.columns; at++) {
    const [held, lost] = [expected[at] ?? 0, missing[at] ?? 0];
    allExpected += held;
    allMissing += lost;
    const level = levelOf(held, lost);
    const fromMs = axis.fromMs + at * axis.columnMs;
    const last = stretches.at(-1);
    const joined = last?.level === level ? last : undefined;
    if (joined) stretches.pop();
    stretches.push({
      level,
      at: joined?.at ?? at,
      columns: (joined?.columns ?? 0) + 1,
      window: { fromMs: joined?.window.fromMs ?? fromMs, toMs: fromMs + axis.columnMs },
      expected: (joined?.expected ?? 0) + held,
      missing: (joined?.missing ?? 0) + lost,
    });
  }
  return { stretches, expected: allExpected, missing: allMissing };
}

function levelOf(expected: number, missing: number): Level {
  if (missing === 0) return expected === 0 ? 'blank' : 'none';
  const share = missing / expected;
  if (share >= 1) return 'all';
  if (share >= 0.5) return 'most';
  return share >= 0.1 ? 'part' : 'few';
}

function totalsOf(map: GapMap): Totals {
  const lost = map.rows.filter(({ missing }) => missing.some((one) => one > 0));
  const hit = [...Array(map.columns).keys()].filter((at) => lost.some((row) => row.missing[at]));
  const [first, last] = [hit[0], hit.at(-1)];
  const add = (key: 'expected' | 'missing') =>
    map.rows.reduce((total, row) => total + row[key].reduce((all, one) => all + one, 0), 0);
  const { fromMs } = axisWindow(map);
  return {
    expected: add('expected'),
    missing: add('missing'),
    window:
      first === undefined || last === undefined
        ? undefined
        : { fromMs: fromMs + first * map.columnMs, toMs: fromMs + (last + 1) * map.columnMs },
    groups: lost.filter(({ group }) => group !== null).length,
  };
}
