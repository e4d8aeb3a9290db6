import { asTitle } from './about.ts';
import type { Gap } from './compare.ts';
import type { DirectionKey } from './site.ts';
import { alignDownMs, alignUpMs, type Window } from './window.ts';

/** Columns of equal width; a map's time. Widths are the bucket's, doubled as often as needed. */
export interface GapMapAxis {
  readonly fromMs: number;
  readonly columnMs: number;
  readonly columns: number;
}

/** One group of series; numbers by column. */
export interface GapMapRow {
  /** The value of the map's label; null for all that have no row of their own. */
  readonly group: string | null;
  /** Samples that the source holds. */
  readonly expected: readonly number[];
  /** Of these, the samples that the destination lacks. */
  readonly missing: readonly number[];
}

/** What one check found missing, by group of series and time: for people, who see at a glance what is lost. */
export interface GapMap extends GapMapAxis {
  /** Of the check. */
  readonly atMs: number;
  readonly direction: DirectionKey;
  /** The label whose values are the groups; `__name__` is the metric. */
  readonly label: string;
  /** `affected`: the source could not be counted by group; expected is what the series with a gap should have there. */
  readonly basis: 'group' | 'affected';
  /** The worst first, those without a row of their own last. */
  readonly rows: readonly GapMapRow[];
}

const COLUMNS_MOST = 96;

/** More rows than this nobody reads at a glance. */
const ROWS_MOST = 30;

/** So many groups are told apart while gaps are added up; the others are one. */
const GROUPS_MOST = 1_000;

/** The columns that hold all of the windows. */
export function gapMapAxis(
  [first, ...more]: readonly [Window, ...Window[]],
  stepMs: number,
): GapMapAxis {
  const earliestMs = more.reduce((least, { fromMs }) => Math.min(least, fromMs), first.fromMs);
  const latestMs = more.reduce((most, { toMs }) => Math.max(most, toMs), first.toMs);
  for (let columnMs = stepMs; ; columnMs *= 2) {
    const fromMs = alignDownMs(earliestMs, columnMs);
    const columns = (alignUpMs(latestMs, columnMs) - fromMs) / columnMs;
    if (columns <= COLUMNS_MOST) return { fromMs, columnMs, columns };
  }
}

export const axisWindow = ({ fromMs, columnMs, columns }: GapMapAxis): Window => ({
  fromMs,
  toMs: fromMs + columns * columnMs,
});

const NAMED_MOST = 3;

/** Where most is missing, in a few words: `instance bigip-08, bigip-01, bigip-02 and 6 more`. */
export function worstGroups({ label, rows }: Pick<GapMap, 'label' | 'rows'>): string {
  const hit = rows.filter(({ missing }) => missing.some((samples) => samples > 0));
  const named = hit.flatMap(({ group }) => (group ? inSentence(group) : [])).slice(0, NAMED_MOST);
  const name = label === '__name__' ? 'metric' : label;
  if (named.length === 0) return '';
  const hasRest = hit.some(({ group }) => group === null);
  const more = hit.length - named.length;
  const others = hasRest ? ' and others' : more > 0 ? ` and ${more} more` : '';
  return `${name} ${named.join(', ')}${others}`;
}

/** A name that could be words of ours stands in quotes: messages are read, and searched, for what vm-sync says. */
const inSentence = (name: string): string => {
  const title = asTitle(name);
  return /^[\p{L}\p{N}_.:/@-]*$/u.test(title) ? title : JSON.stringify(title);
};

/** Spreads an amount evenly over a stretch of time, in whole numbers whose sum is the amount; what lies outside is put at the ends. */
export function spread(
  into: Float64Array | number[],
  { fromMs, columnMs }: Pick<GapMapAxis, 'fromMs' | 'columnMs'>,
  stretch: Window,
  amount: number,
): void {
  if (amount === 0) return;
  const lengthMs = stretch.toMs - stretch.fromMs;
  const last = into.length - 1;
  const columnOf = (atMs: number) =>
    Math.min(last, Math.max(0, Math.floor((atMs - fromMs) / columnMs)));
  const end = columnOf(stretch.toMs - 1);
  let before = 0;
  for (let at = columnOf(stretch.fromMs); at <= end; at++) {
    const reachedMs = fromMs + (at + 1) * columnMs - stretch.fromMs;
    const until = at === end ? amount : Math.round((amount * reachedMs) / lengthMs);
    into[at] = (into[at] as number) + until - before;
    before = until;
  }
}

/** What gaps say of one group, by column. */
interface GroupGaps {
  readonly missing: Float64Array;
  /** What the source holds in these gaps at the least. */
  readonly expected: Float64Array;
}

/** Gaps added up by the value of a label; null for the groups beyond what is told apart. */
export function gapsByGroup(
  gaps: Iterable<Gap>,
  axis: GapMapAxis,
  label: string,
): Map<string | null, GroupGaps> {
  const groups = new Map<string | null, GroupGaps>();
  const nothing = () => ({
    missing: new Float64Array(axis.columns),
    expected: new Float64Array(axis.columns),
  });
  for (const gap of gaps) {
    const value = gap.labels[label] ?? null;
    const group = groups.has(value) || groups.size < GROUPS_MOST ? value : null;
    const sums = groups.get(group) ?? nothing();
    groups.set(group, sums);
    spread(sums.missing, axis, gap, gap.missing);
    spread(sums.expected, axis, gap, gap.missing + gap.held);
  }
  return groups;
}

const sum = (numbers: ArrayLike<number>): number => {
  let total = 0;
  for (let at = 0; at < numbers.length; at++) total += numbers[at] as number;
  return total;
};

/** Which groups have a row of their own: those that lack the most, then, where there is room, the others that are known. */
export function namedGroups(
  found: ReadonlyMap<string | null, GroupGaps>,
  known: readonly string[],
): string[] {
  const worst = [...found]
    .flatMap(([group, { missing }]) => (group === null ? [] : [{ group, missing: sum(missing) }]))
    .sort((a, b) => b.missing - a.missing || (a.group < b.group ? -1 : 1))
    .map(({ group }) => group);
  const rest = known.filter((group) => !found.has(group)).sort();
  return [...new Set([...worst, ...rest])].slice(0, ROWS_MOST);
}

/** What the source holds, by column: of the named groups, and of all series together. */
export interface SourceCounts {
  readonly byGroup: ReadonlyMap<string, Float64Array>;
  readonly total: Float64Array;
}

/** The map of what was found; `counts` is undefined where the source could not be asked. */
export function gapMapOf(
  about: Pick<GapMap, 'atMs' | 'direction' | 'label'> & GapMapAxis,
  found: ReadonlyMap<string | null, GroupGaps>,
  named: readonly string[],
  counts: SourceCounts | undefined,
): GapMap {
  const { columns } = about;
  const numbers = Array.from({ length: columns }, (_, at) => at);
  const others = { missing: new Float64Array(columns), expected: new Float64Array(columns) };
  for (const [group, sums] of found) {
    if (group !== null && named.includes(group)) continue;
    for (const at of numbers) {
      others.missing[at] = (others.missing[at] as number) + (sums.missing[at] as number);
      others.expected[at] = (others.expected[at] as number) + (sums.expected[at] as number);
    }
  }
  const row = (
    group: string | null,
    sums: GroupGaps | undefined,
    counted: (at: number) => number,
  ): GapMapRow => ({
    group,
    missing: numbers.map((at) => sums?.missing[at] ?? 0),
    // Samples may have come or gone between the questions: what is missing was there.
    expected: numbers.map((at) =>
      Math.max(sums?.missing[at] ?? 0, sums?.expected[at] ?? 0, counted(at)),
    ),
  });
  const rows = named.map((group) =>
    row(group, found.get(group), (at) => counts?.byGroup.get(group)?.[at] ?? 0),
  );
  const ofNamed = (at: number) =>
    named.reduce((total, group) => total + (counts?.byGroup.get(group)?.[at] ?? 0), 0);
  const rest = row(null, others, (at) => Math.max(0, (counts?.total[at] ?? 0) - ofNamed(at)));
  if (sum(rest.expected) > 0) rows.push(rest);
  const { atMs, direction, label, fromMs, columnMs } = about;
  const basis = counts ? 'group' : 'affected';
  return { atMs, direction, label, fromMs, columnMs, columns, basis, rows };
}

export const missingIn = ({ rows }: Pick<GapMap, 'rows'>): number =>
  rows.reduce((total, { missing }) => total + sum(missing), 0);
