import type { Act, Story } from './history.ts';

/** Histories that random ones were shrunk to, each of a mistake that has been mended since. */

const story = (
  acts: readonly Act[],
  { both = false, mended = 'by restarts' }: { both?: boolean; mended?: Story['mended'] } = {},
): Story => ({ settings: { threshold: 1, both }, acts, mended });

const well = (rounds: number): Act => ({ act: 'all is well', rounds });
const check: Act = { act: 'check', trouble: 'nothing', end: 'saved' };

export const FOUND: readonly (readonly [string, Story])[] = [
  [
    'a loss in proven time within an open backfill was planned twice in one check, and copied twice',
    story([
      well(2),
      { act: 'backfill', back: 2, buckets: 1, match: 'all' },
      { act: 'lose', site: 'dr', back: 2, buckets: 1, what: 'all' },
      check,
    ]),
  ],
  [
    'what a survey pointed to within an open backfill was planned twice in one check',
    story([
      well(3),
      { act: 'time passes', s: 7_500 },
      well(1),
      { act: 'backfill', back: 14, buckets: 1, match: 'all' },
      { act: 'lose', site: 'dr', back: 14, buckets: 1, what: 'all' },
      { act: 'time passes', s: 3_700 },
      check,
    ]),
  ],
  [
    'after a clock had gone back, the look backwards judged time beyond the horizon',
    story(
      [
        { act: 'lose', site: 'primary', back: 1, buckets: 1, what: 'all' },
        check,
        { act: 'lose', site: 'dr', back: 2, buckets: 1, what: 'all' },
        { act: 'clock', aheadS: -1_300 },
        check,
      ],
      { both: true },
    ),
  ],
  [
    'a repair that settled between a restart and the check that noticed it was proven at once',
    story([
      well(2),
      { act: 'lose', site: 'dr', back: 3, buckets: 1, what: 'all' },
      check,
      { act: 'killed', site: 'dr', forgetS: 0 },
      { act: 'time passes', s: 1 },
      { act: 'work', chunks: 9, how: 'nothing' },
      { act: 'settle', how: 'once' },
      check,
    ]),
  ],
  [
    'a chunk that a kill had taken back before its run settled was called stuck',
    story([
      well(2),
      { act: 'lose', site: 'dr', back: 3, buckets: 1, what: 'all' },
      check,
      { act: 'work', chunks: 9, how: 'nothing' },
      { act: 'killed', site: 'dr', forgetS: 9 },
      { act: 'time passes', s: 1 },
      check,
      { act: 'settle', how: 'once' },
      check,
    ]),
  ],
  [
    'after a clock had gone back, a survey left out what is a little older than the first check',
    story([
      { act: 'time passes', s: 209 },
      check,
      { act: 'lose', site: 'dr', back: 7, buckets: 1, what: 'a' },
      { act: 'clock', aheadS: -100 },
      { act: 'killed', site: 'dr', forgetS: 0 },
      check,
      well(2),
    ]),
  ],
  [
    'after a clock had gone back, a survey judged time beyond the horizon',
    story([
      well(3),
      { act: 'time passes', s: 7_500 },
      well(2),
      { act: 'killed', site: 'dr', forgetS: 0 },
      { act: 'lose', site: 'dr', back: 2, buckets: 1, what: 'all' },
      check,
      { act: 'work', chunks: 9, how: 'nothing' },
      { act: 'settle', how: 'once' },
      { act: 'clock', aheadS: -6_000 },
      { act: 'lose', site: 'dr', back: 8, buckets: 1, what: 'a' },
      check,
    ]),
  ],
];

/** Histories that random ones hardly meet, each with what it must not come to. */
export const NARROW: readonly (readonly [string, Story])[] = [
  [
    'a survey waits for as long as a clock was ahead, and READY is said meanwhile',
    story([
      well(3),
      { act: 'clock', aheadS: 30_000 },
      { act: 'time passes', s: 3_700 },
      well(1),
      { act: 'clock', aheadS: 0 },
      { act: 'time passes', s: 3_700 },
      well(3),
      { act: 'lose', site: 'dr', back: 14, buckets: 1, what: 'all' },
      { act: 'time passes', s: 3_000 },
      well(1),
      { act: 'time passes', s: 3_000 },
      well(1),
      { act: 'time passes', s: 3_000 },
      well(2),
    ]),
  ],
  [
    'READY is said after a restart, before all is surveyed',
    story([
      well(3),
      { act: 'lose', site: 'dr', back: 18, buckets: 1, what: 'all' },
      { act: 'killed', site: 'dr', forgetS: 0 },
      { act: 'check', trouble: 'no time', end: 'saved' },
      { act: 'check', trouble: 'no time', end: 'saved' },
    ]),
  ],
  [
    'a repair of a day ago that a kill took back is not compared again',
    story([
      well(3),
      { act: 'lose', site: 'dr', back: 3, buckets: 1, what: 'all' },
      well(3),
      { act: 'killed', site: 'dr', forgetS: 1_500 },
      { act: 'time passes', s: 7_500 },
      well(2),
    ]),
  ],
  [
    'after a clock had gone back, what is due was judged beyond the horizon',
    story([
      { act: 'lose', site: 'dr', back: 1, buckets: 1, what: 'all' },
      check,
      { act: 'lose', site: 'primary', back: 2, buckets: 1, what: 'all' },
      { act: 'clock', aheadS: -1_300 },
      check,
    ]),
  ],
  [
    'a run that settles twice is counted twice',
    story([
      well(2),
      { act: 'lose', site: 'dr', back: 3, buckets: 1, what: 'all' },
      check,
      { act: 'work', chunks: 9, how: 'nothing' },
      { act: 'settle', how: 'twice' },
    ]),
  ],
  [
    'a chunk is copied after the direction went away and came back',
    story([
      well(2),
      { act: 'lose', site: 'dr', back: 3, buckets: 1, what: 'all' },
      check,
      { act: 'DNS', says: 'dr' },
      { act: 'check', trouble: 'source silent', end: 'saved' },
      { act: 'DNS', says: 'primary' },
      { act: 'check', trouble: 'source silent', end: 'saved' },
      { act: 'time passes', s: 16 },
      { act: 'check', trouble: 'source silent', end: 'saved' },
      { act: 'work', chunks: 9, how: 'nothing' },
    ]),
  ],
  ...(['by restarts', 'by time'] as const).map(
    (mended) =>
      [
        `a gap that a lie made stuck stays so for ever, mended ${mended}`,
        story(
          [
            well(2),
            { act: 'lose', site: 'dr', back: 3, buckets: 1, what: 'all' },
            check,
            { act: 'work', chunks: 9, how: 'lost after it was read back' },
            { act: 'settle', how: 'once' },
            check,
          ],
          { mended },
        ),
      ] as const,
  ),
  [
    'time that is within reach again, since a limit was raised, counts as proven',
    story([
      well(2),
      { act: 'cut off', site: 'dr' },
      { act: 'time passes', s: 40_000 },
      { act: 'reached again', site: 'dr' },
      { act: 'limit', site: 'dr', acceptsH: 3 },
      well(4),
      { act: 'limit', site: 'dr', acceptsH: null },
      well(1),
    ]),
  ],
  [
    'an export that leaves out a row makes a gap look equal',
    story([
      well(2),
      { act: 'time passes', s: 600 },
      { act: 'each loses another sample', back: 1, series: 'a' },
      ...Array.from(
        { length: 8 },
        (_, at): Act => ({ act: 'check', trouble: `query ${at * 4 + 3} fails`, end: 'saved' }),
      ),
    ]),
  ],
];
