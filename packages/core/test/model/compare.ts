import {
  addTallied,
  type ComparedSlice,
  type Direction,
  differenceByBucket,
  type Gap,
  gapsOfSeries,
  judgeRows,
  judgeTallies,
  makeWindow,
  mergeWindows,
  NOTHING_TALLIED,
  slicesNewestFirst,
  subtractWindows,
  type Tallied,
  type Window,
} from '../../src/index.ts';
import { type SERIES, STEP_MS, type World } from './world.ts';

/** A comparison of windows of the model's world by the core's own judgements, as small as it can be. */
export interface Compared {
  readonly slices: readonly ComparedSlice[];
  readonly gaps: readonly Gap[];
  readonly tallied: Tallied;
  readonly exact: readonly Window[];
  readonly damaged: readonly Window[];
  readonly damagedBackward: readonly Window[];
}

export const NOTHING_COMPARED: Compared = {
  slices: [],
  gaps: [],
  tallied: NOTHING_TALLIED,
  exact: [],
  damaged: [],
  damagedBackward: [],
};

export const together = (a: Compared, b: Compared): Compared => ({
  slices: [...a.slices, ...b.slices],
  gaps: [...a.gaps, ...b.gaps],
  tallied: addTallied(a.tallied, b.tallied),
  exact: [...a.exact, ...b.exact],
  damaged: [...a.damaged, ...b.damaged],
  damagedBackward: [...a.damagedBackward, ...b.damagedBackward],
});

export const forwardOf = ({ exact, damaged }: Compared) => ({
  proven: subtractWindows(exact, damaged),
  damaged: mergeWindows(damaged),
});

export const backwardOf = ({ exact, damagedBackward }: Compared) => ({
  proven: subtractWindows(exact, damagedBackward),
  damaged: mergeWindows(damagedBackward),
});

export const labelsOf = (series: string) => ({ __name__: 'm', series });

export interface Measured {
  readonly world: World;
  readonly direction: Direction;
  /** 1 and by rows where it is looked backwards. */
  readonly threshold: number;
  readonly byRows: boolean;
  readonly series: readonly (typeof SERIES)[number][];
}

/** Two hours at once, as the steps do it: where all counts of such a slice agree, `counts` looks no closer. */
export function compareAll(
  measured: Measured,
  windows: readonly Window[],
  depth: 'exact' | 'counts',
): Compared {
  const slices = windows.flatMap((window) => slicesNewestFirst(window, 24 * STEP_MS));
  return slices.reduce(
    (all, window) => together(all, compareOne(measured, window, depth)),
    NOTHING_COMPARED,
  );
}

interface Sides {
  readonly there: readonly number[];
  readonly here: readonly number[];
  readonly source: Float64Array;
  readonly destination: Float64Array;
}

function sidesOf({ world, direction }: Measured, series: 'a' | 'b', window: Window): Sides {
  const there = world.samplesIn(direction.source, series, window);
  const here = world.samplesIn(direction.destination, series, window);
  return {
    there,
    here,
    source: countsOf(there, window),
    destination: countsOf(here, window),
  };
}

export function countsOf(samples: readonly number[], window: Window, stepMs = STEP_MS) {
  const counts = new Float64Array(Math.round((window.toMs - window.fromMs) / stepMs));
  for (const atMs of samples) {
    const bucket = Math.ceil((atMs - window.fromMs) / stepMs) - 1;
    counts[bucket] = (counts[bucket] as number) + 1;
  }
  return counts;
}

const sum = (counts: ArrayLike<number>): number =>
  Array.from(counts).reduce((total, count) => total + count, 0);

function compareOne(measured: Measured, window: Window, depth: 'exact' | 'counts'): Compared {
  const sides = measured.series.map((series) => ({ series, ...sidesOf(measured, series, window) }));
  const series = sides.filter(({ there, here }) => there.length + here.length > 0).length;
  const sourceSamples = sides.reduce((total, { there }) => total + there.length, 0);
  const destinationSamples = sides.reduce((total, { here }) => total + here.length, 0);
  const sums = { ...NOTHING_TALLIED, series, sourceSamples, destinationSamples };
  const agree = sides.every(({ source, destination }) =>
    source.every((count, at) => count === destination[at]),
  );
  if (depth === 'counts' && agree) return { ...NOTHING_COMPARED, tallied: sums };
  let found: Compared = { ...NOTHING_COMPARED, tallied: sums };
  if (depth === 'exact') found = { ...found, exact: [window] };
  const gaps: Gap[] = [];
  for (const one of sides) {
    const judged = judgeSeries(measured, one, window);
    const missing = gapsOfSeries(labelsOf(one.series), judged.missing, grid(window), judged.held);
    gaps.push(...missing);
    const extra = gapsOfSeries(labelsOf(one.series), judged.extra, grid(window));
    found = together(found, {
      ...NOTHING_COMPARED,
      damaged: missing.map(windowOf),
      damagedBackward: extra.map(windowOf),
      tallied: {
        ...NOTHING_TALLIED,
        gaps: missing.length,
        missing: sum(judged.missing),
        tolerated: sum(judged.tolerated),
        extra: sum(judged.extra),
      },
    });
  }
  const there = sides.filter((one) => one.there.length > 0);
  const names = new Map([['m', { series: there.length, samples: sourceSamples }]]);
  const slice: ComparedSlice = { scope: SCOPE, window, names, gaps };
  return { ...found, gaps, slices: [slice] };
}

export const SCOPE = [{ label: '__name__', operator: '!=', value: '' }] as const;

const grid = ({ fromMs }: Window) => ({ fromMs, stepMs: STEP_MS });

const windowOf = ({ fromMs, toMs }: Gap): Window => makeWindow(fromMs, toMs);

/** By tallies where these can tell, else by the rows. */
function judgeSeries({ threshold, byRows }: Measured, sides: Sides, window: Window) {
  const { there, here, source, destination } = sides;
  const [missing, tolerated, extra] = [source, source, source].map(
    ({ length }) => new Float64Array(length),
  ) as [Float64Array, Float64Array, Float64Array];
  const rows = differenceByBucket(there, here, { ...grid(window), buckets: source.length }, 0);
  for (let at = 0; at < source.length; at++) {
    const bucket = { fromMs: window.fromMs + at * STEP_MS };
    const tally = (samples: readonly number[], count: number) => {
      const inside = samples.filter(
        (atMs) => atMs > bucket.fromMs && atMs <= bucket.fromMs + STEP_MS,
      );
      const print = inside.reduce((total, atMs) => total + Math.sin(atMs / 1000), 0);
      return { samples: count, occupied: inside.length, print };
    };
    const [from, to] = [source[at] as number, destination[at] as number];
    const verdict = judgeTallies(tally(there, from), tally(here, to), byRows ? 0 : threshold);
    if (verdict === 'missing') {
      missing[at] = from - to;
      // Samples of the destination there may be other ones than the source's.
      extra[at] = to;
    } else if (verdict === 'extra') extra[at] = to;
    else if (verdict === 'suspect') {
      const row = rows[at] as (typeof rows)[number];
      if (judgeRows(row, threshold) === 'missing') missing[at] = row.missing;
      else tolerated[at] = row.missing;
      extra[at] = row.extra;
    }
  }
  return { missing, tolerated, extra, held: destination };
}
