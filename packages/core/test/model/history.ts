import fc from 'fast-check';
import type { Site } from '../../src/index.ts';
import type { CopyTrouble, ModelSettings, Trouble } from './eyes.ts';
import type { SaveEnd } from './vm-sync.ts';
import type { Series } from './world.ts';

/** One thing that happens. Ages are in buckets before now, so that a shrunk history stays readable. */
export type Act =
  | { readonly act: 'time passes'; readonly s: number }
  /** A check two minutes later, and the whole repair of what it found. */
  | { readonly act: 'all is well'; readonly rounds: number }
  | { readonly act: 'check'; readonly trouble: Trouble; readonly end: SaveEnd }
  | {
      readonly act: 'work';
      readonly chunks: number;
      readonly how: CopyTrouble | 'lost after it was read back' | 'dies after the import';
    }
  | { readonly act: 'settle'; readonly how: 'once' | 'twice' | SaveEnd }
  | {
      readonly act: 'lose';
      readonly site: Site;
      readonly back: number;
      readonly buckets: number;
      readonly what: Series | 'all' | 'one of each bucket';
    }
  | { readonly act: 'each loses another sample'; readonly back: number; readonly series: Series }
  | { readonly act: 'late sample'; readonly site: Site; readonly back: number }
  | { readonly act: 'cut off' | 'reached again'; readonly site: Site }
  | { readonly act: 'killed'; readonly site: Site; readonly forgetS: number }
  | { readonly act: 'backup' | 'restored' | 'emptied'; readonly site: Site }
  | { readonly act: 'DNS'; readonly says: Site | 'unknown' }
  | { readonly act: 'lease'; readonly says: Site | 'unknown' | 'nobody' }
  | { readonly act: 'pin'; readonly site: Site; readonly forS: number }
  | { readonly act: 'unpin' }
  | { readonly act: 'clock'; readonly aheadS: number }
  | {
      readonly act: 'backfill';
      readonly back: number;
      readonly buckets: number;
      readonly match: Series | 'all';
    }
  | { readonly act: 'backfills'; readonly change: 'pause' | 'resume' | 'cancel' }
  | { readonly act: 'reconcile' }
  | { readonly act: 'limit'; readonly site: Site; readonly acceptsH: number | null }
  | { readonly act: 'old state file'; readonly saves: number };

export interface Story {
  readonly settings: ModelSettings;
  readonly acts: readonly Act[];
  /** What ends the stuckness of gaps at the end. */
  readonly mended: 'by restarts' | 'by time';
}

const site = fc.constantFrom<Site>('primary', 'dr');
const series = fc.constantFrom<Series>('a', 'b');
const back = fc.oneof(
  { weight: 3, arbitrary: fc.integer({ min: 1, max: 7 }) },
  { weight: 2, arbitrary: fc.integer({ min: 8, max: 40 }) },
  { weight: 1, arbitrary: fc.integer({ min: 41, max: 90 }) },
);
const end = fc.oneof(
  { weight: 8, arbitrary: fc.constant<SaveEnd>('saved') },
  { weight: 1, arbitrary: fc.constant<SaveEnd>('dies before saving') },
  { weight: 1, arbitrary: fc.constant<SaveEnd>('dies between file and redis') },
);
const trouble = fc.oneof(
  { weight: 8, arbitrary: fc.constant<Trouble>('nothing') },
  {
    weight: 3,
    arbitrary: fc.constantFrom<Trouble>('source silent', 'destination silent', 'no time'),
  },
  {
    weight: 1,
    arbitrary: fc.integer({ min: 1, max: 30 }).map((at): Trouble => `query ${at} fails`),
  },
);

const act: fc.Arbitrary<Act> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      act: fc.constant('time passes' as const),
      s: fc.constantFrom(1, 5, 16, 120, 600, 3_000, 3_700, 7_500, 40_000),
    }),
  },
  {
    weight: 7,
    arbitrary: fc.record({
      act: fc.constant('all is well' as const),
      rounds: fc.integer({ min: 1, max: 3 }),
    }),
  },
  { weight: 7, arbitrary: fc.record({ act: fc.constant('check' as const), trouble, end }) },
  {
    weight: 4,
    arbitrary: fc.record({
      act: fc.constant('work' as const),
      chunks: fc.constantFrom(1, 2, 9),
      how: fc.oneof(
        { weight: 4, arbitrary: fc.constant('nothing' as const) },
        {
          weight: 3,
          arbitrary: fc.constantFrom(
            'lost after it was read back' as const,
            'dies after the import' as const,
            'drops every second sample' as const,
            'connection cut' as const,
          ),
        },
      ),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      act: fc.constant('settle' as const),
      how: fc.oneof(
        { weight: 4, arbitrary: fc.constantFrom('once' as const, 'twice' as const) },
        {
          weight: 1,
          arbitrary: fc.constantFrom<SaveEnd>('dies before saving', 'dies between file and redis'),
        },
      ),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      act: fc.constant('lose' as const),
      site,
      back,
      buckets: fc.constantFrom(1, 2, 6, 30),
      what: fc.constantFrom(
        'a' as const,
        'b' as const,
        'all' as const,
        'one of each bucket' as const,
      ),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      act: fc.constant('each loses another sample' as const),
      back,
      series,
    }),
  },
  { weight: 2, arbitrary: fc.record({ act: fc.constant('late sample' as const), site, back }) },
  {
    weight: 2,
    arbitrary: fc.record({
      act: fc.constantFrom('cut off' as const, 'reached again' as const),
      site,
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      act: fc.constant('killed' as const),
      site,
      forgetS: fc.constantFrom(0, 5, 9, 9, 1_500),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      act: fc.constantFrom('backup' as const, 'restored' as const, 'emptied' as const),
      site,
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      act: fc.constant('DNS' as const),
      says: fc.constantFrom('primary' as const, 'dr' as const, 'unknown' as const),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      act: fc.constant('lease' as const),
      says: fc.constantFrom(
        'primary' as const,
        'dr' as const,
        'unknown' as const,
        'nobody' as const,
      ),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      act: fc.constant('pin' as const),
      site,
      forS: fc.constantFrom(60, 3_600),
    }),
  },
  { weight: 1, arbitrary: fc.constant<Act>({ act: 'unpin' }) },
  {
    weight: 1,
    arbitrary: fc.record({
      act: fc.constant('clock' as const),
      aheadS: fc.constantFrom(0, 0, 20, -20, 100, -100, 4_000, -4_000, 30_000),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      act: fc.constant('backfill' as const),
      back,
      buckets: fc.constantFrom(1, 6, 30),
      match: fc.constantFrom('all' as const, 'all' as const, 'a' as const, 'b' as const),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      act: fc.constant('backfills' as const),
      change: fc.constantFrom('pause' as const, 'resume' as const, 'cancel' as const),
    }),
  },
  { weight: 1, arbitrary: fc.constant<Act>({ act: 'reconcile' }) },
  {
    weight: 1,
    arbitrary: fc.record({
      act: fc.constant('limit' as const),
      site,
      acceptsH: fc.constantFrom(null, 3, 8, 30),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      act: fc.constant('old state file' as const),
      saves: fc.integer({ min: 1, max: 12 }),
    }),
  },
);

export const stories = (most: number): fc.Arbitrary<Story> =>
  fc.record({
    settings: fc.record({
      threshold: fc.constantFrom(1, 1, 0.6),
      both: fc.constantFrom(false, false, true),
    }),
    acts: fc.array(act, { minLength: 1, maxLength: most, size: 'max' }),
    mended: fc.constantFrom('by restarts' as const, 'by time' as const),
  });

/** A history as a person reads it: an act a line. */
export function told({ settings, acts, mended }: Story): string {
  const lines = acts.map(({ act: what, ...rest }) => {
    const details = Object.entries(rest).map(([name, value]) => `${name} ${value}`);
    return `  ${[what, ...details].join(', ')}`;
  });
  const { threshold, both } = settings;
  return [
    `GAP_THRESHOLD=${threshold}${both ? ', SYNC_DIRECTION=both' : ''}:`,
    ...lines,
    `  mended ${mended}`,
  ].join('\n');
}
