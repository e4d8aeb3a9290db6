import type { SyncEvent } from './event.ts';
import type { Site } from './site.ts';
import { intersect, type Window } from './window.ts';
import { formatCount } from './wording.ts';

/** One sample of which the sites hold different values, as text: not every number is one in JSON. */
export interface ConflictExample {
  readonly series: string;
  readonly atMs: number;
  readonly values: Readonly<Record<Site, string>>;
}

/** A bucket in which samples of the same series and time have different values. */
export interface ConflictBucket {
  readonly window: Window;
  readonly series: number;
  readonly samples: number;
  /** Series whose sums differ here, and whose samples were not looked at: too many at once. */
  readonly unread: number;
}

/** What a check found out about values. Nothing of it makes a repair, or keeps READY away. */
export interface ValuesFound {
  /** Where values were compared, with or without a difference. */
  readonly compared: readonly Window[];
  readonly buckets: readonly ConflictBucket[];
  readonly example: ConflictExample | null;
  /** Why values were not compared any further, as a sentence; null when they were. */
  readonly gaveUp: string | null;
}

/** What is remembered of differing values. */
export interface Conflicts {
  /** Oldest first. */
  readonly buckets: readonly ConflictBucket[];
  readonly example: ConflictExample | null;
  readonly told: boolean;
}

export const NO_CONFLICTS: Conflicts = { buckets: [], example: null, told: false };

/** Values of one sample are the same up to this share of the larger one: databases keep about 12 digits (measured). */
const TOLERANCE = 1e-9;

/**
 * A database stores values as decimals, all of a block with one exponent: a value is rounded to about 1e-18 of the largest
 * one of its block, so that small ones beside large ones lose digits, or become 0 (measured). Which samples share a
 * block differs from site to site.
 */
const BLOCK_TOLERANCE = 1e-12;

/** Samples that may share a block lie within a month of each other: blocks do not reach over the parts of a database. */
export const BLOCK_REACH_MS = 31 * 86_400_000;

/** True when two values of one sample differ by more than a database's own rounding may make them. */
export function valuesConflict(a: number, b: number, largestNearby: number): boolean {
  if (Object.is(a, b) || a === b) return false;
  if (!Number.isFinite(a) || !Number.isFinite(b)) return true;
  const difference = Math.abs(a - b);
  const larger = Math.max(Math.abs(a), Math.abs(b));
  return difference > TOLERANCE * larger && difference > BLOCK_TOLERANCE * largestNearby;
}

/** Sums that differ by less than this share come from samples that are alike, or from the order of adding. */
const SUM_TOLERANCE = 1e-10;

/** True when the sums of a bucket's values are so different that its samples have to be looked at. */
export function sumsDiffer(a: number, b: number): boolean {
  if (Object.is(a, b) || a === b) return false;
  if (!Number.isFinite(a) || !Number.isFinite(b)) return true;
  const difference = Math.abs(a - b);
  return difference > SUM_TOLERANCE * Math.max(Math.abs(a), Math.abs(b));
}

const DAY_MS = 86_400_000;

/** What was seen longer ago is told no more: nobody compares the values of proven time again. */
const KEPT_MS = 31 * DAY_MS;

/** Keeps the state small where sites are fed different values throughout. */
const MOST_BUCKETS = 500;

/** With what a check found in the place of what was known of the same buckets; told when there are some. */
export function conflictsAfter(
  before: Conflicts,
  found: ValuesFound | undefined,
  atMs: number,
  events: SyncEvent[],
): Conflicts {
  const compared = found?.compared ?? [];
  const kept = before.buckets.filter(
    ({ window }) =>
      window.toMs > atMs - KEPT_MS && !compared.some((one) => intersect(one, window) !== undefined),
  );
  const buckets = [...kept, ...(found?.buckets ?? [])]
    .sort((a, b) => a.window.fromMs - b.window.fromMs)
    .slice(-MOST_BUCKETS);
  const total = totalConflicts({ buckets, example: found?.example ?? before.example });
  const told = total.samples > 0;
  if (told && !before.told) events.push({ kind: 'values-differ', total });
  return { buckets, example: total.example, told };
}

/** All of the remembered conflicts together. */
export interface ConflictTotal {
  readonly samples: number;
  /** The most series that differ in the same bucket. */
  readonly series: number;
  /** True when there may be more: some series were not looked at, or the oldest are not remembered. */
  readonly atLeast: boolean;
  readonly example: ConflictExample | null;
}

export function totalConflicts({
  buckets,
  example,
}: Pick<Conflicts, 'buckets' | 'example'>): ConflictTotal {
  const samples = buckets.reduce((sum, one) => sum + one.samples, 0);
  return {
    samples,
    series: buckets.reduce((most, one) => Math.max(most, one.series), 0),
    atLeast: buckets.length >= MOST_BUCKETS || buckets.some(({ unread }) => unread > 0),
    example: samples > 0 ? example : null,
  };
}

/** The one wording of differing values. */
export function conflictText({ samples, series, atLeast, example }: ConflictTotal): string {
  const least = atLeast ? 'at least ' : '';
  const of = `${least}${formatCount(samples)} sample${samples === 1 ? '' : 's'} of ${least}${formatCount(series)} series`;
  return `the sites hold different values for ${of}${exampleText(example)}; no repair changes that: a database keeps one of two values by its own rule`;
}

function exampleText(example: ConflictExample | null): string {
  if (!example) return '';
  const { series, atMs, values } = example;
  return `, such as ${series} at ${new Date(atMs).toISOString()}: ${values.primary} on primary, ${values.dr} on dr`;
}
