import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  lostPace,
  nextPace,
  type Pace,
  type PaceLimits,
  resumedPace,
  type SiteLoad,
  type SiteReading,
  startingPace,
} from '../src/index.ts';

const limits: PaceLimits = { maxCopies: 4, maxBytesPerS: null };

const calm: SiteLoad = {
  latencyMs: 100,
  inserts: { used: 0, capacity: 8 },
  selects: { used: 1, capacity: 4 },
  waits: 0,
  pendingRows: 0,
  rows: 0,
  slowRows: 0,
  freeBytes: 80e9,
  keptFreeBytes: 10e6,
  readOnly: false,
};

/** Where `/metrics` is not served. */
const latencyOnly: SiteLoad = {
  latencyMs: 100,
  inserts: undefined,
  selects: undefined,
  waits: undefined,
  pendingRows: undefined,
  rows: undefined,
  slowRows: undefined,
  freeBytes: undefined,
  keptFreeBytes: undefined,
  readOnly: undefined,
};

type Seen = {
  primary?: Partial<SiteLoad> | string;
  dr?: Partial<SiteLoad> | string;
  busy?: number;
};

/** A tick, 5 s after the one before: primary is the source, dr the destination. */
function tick(before: Pace, { primary = {}, dr = {}, busy = 0 }: Seen = {}, of = limits): Pace {
  const atMs = Math.max(before.memory.dr?.atMs ?? 0, before.memory.primary?.atMs ?? 0) + 5_000;
  const load = (seen: Partial<SiteLoad> | string) =>
    typeof seen === 'string' ? seen : { ...calm, ...seen };
  const readings: SiteReading[] = [
    { site: 'primary', role: 'source', atMs, load: load(primary), busyAnswers: 0 },
    { site: 'dr', role: 'destination', atMs, load: load(dr), busyAnswers: busy },
  ];
  return nextPace(before, readings, of);
}

const ticks = (before: Pace, count: number, seen: Seen = {}): Pace =>
  Array.from({ length: count }).reduce<Pace>((pace) => tick(pace, seen), before);

const full = (): Pace => ticks(startingPace(limits), 3);

test('calm lets it climb by one a tick, up to the setting; then nothing is to be said', () => {
  let pace = startingPace(limits);
  expect(pace).toMatchObject({ copies: 1, stopped: false, bytesPerS: null });
  expect(pace.reason).toBe('the databases are still being read: 1 of 4 copies at a time');
  const seen: [number, string | null][] = [];
  for (let at = 0; at < 5; at++) {
    pace = tick(pace);
    seen.push([pace.copies, pace.reason]);
  }
  const climbing = 'the databases are calm, one more with every reading';
  expect(seen).toEqual([
    [2, `${climbing}: 2 of 4 copies at a time`],
    [3, `${climbing}: 3 of 4 copies at a time`],
    [4, null],
    [4, null],
    [4, null],
  ]);
});

test('struggle halves it down to one, and after it two calm readings pass before the next step up', () => {
  let pace = full();
  const slow = { dr: { latencyMs: 2_100 } };
  const down: number[] = [];
  for (let at = 0; at < 3; at++) {
    pace = tick(pace, slow);
    down.push(pace.copies);
    expect(pace.reason).toBe(
      `dr answers queries in 2.1 s (usually 0.1 s): ${pace.copies} of 4 copies at a time`,
    );
  }
  expect(down).toEqual([2, 1, 1]);
  const up = Array.from({ length: 6 }, () => {
    pace = tick(pace);
    return pace.copies;
  });
  expect(up).toEqual([1, 1, 2, 3, 4, 4]);
});

describe('what slows it down', () => {
  test.each<[string, Seen, string]>([
    [
      'slow for this site',
      { dr: { latencyMs: 600 } },
      'dr answers queries in 0.6 s (usually 0.1 s)',
    ],
    ['a slow source', { primary: { latencyMs: 1_500 } }, 'primary answers queries in 1.5 s'],
    ['busy answers', { busy: 1 }, 'dr asked for patience (429 or 503) 1 time:'],
    ['busy answers', { busy: 7 }, 'dr asked for patience (429 or 503) 7 times:'],
    [
      'all slots for writing in use',
      { dr: { inserts: { used: 8, capacity: 8 } } },
      'dr has 8 of 8 slots for writing in use',
    ],
    [
      'all slots for reading in use',
      { primary: { selects: { used: 4, capacity: 4 } } },
      'primary has 4 of 4 slots for reading in use',
    ],
    ['others had to wait', { dr: { waits: 3 } }, 'dr let 3 requests wait for a free slot'],
    [
      'a backlog',
      { dr: { pendingRows: 31_000_000 } },
      'dr has 31 million rows waiting to be written',
    ],
    [
      'slow inserts',
      { dr: { rows: 1_000_000, slowRows: 200_000 } },
      'dr looks up 40000 series a second for new rows (slow inserts)',
    ],
  ])('%s', (_, seen, text) => {
    const pace = tick(full(), seen);
    expect(pace.copies).toBe(2);
    expect(pace.reason).toContain(text);
    expect(pace.reason).toContain('2 of 4 copies at a time');
  });

  test('no reading of a site: one copy at once, and it says which and why', () => {
    const pace = tick(full(), {
      primary: 'VM query error: primary (http://a) did not answer in time',
    });
    expect(pace).toMatchObject({ copies: 1, stopped: false });
    expect(pace.reason).toBe(
      'primary gave no reading (VM query error: primary (http://a) did not answer in time): 1 of 4 copies at a time',
    );
  });
});

describe('what does not slow it down', () => {
  test.each<[string, Seen]>([
    ['slower than usual, and still fast', { dr: { latencyMs: 350 } }],
    ['the source is read-only', { primary: { readOnly: true, freeBytes: 0 } }],
    ['many new series among many rows', { dr: { rows: 10_000_000, slowRows: 200_000 } }],
    ['a few new rows, all of new series', { dr: { rows: 20_000, slowRows: 20_000 } }],
    ['a server that restarted', { dr: { waits: 0, rows: 5, slowRows: 5 } }],
    ['no /metrics', { primary: latencyOnly, dr: latencyOnly }],
    ['slots that are free', { dr: { selects: { used: 2, capacity: 4 } } }],
    ['a server with one slot that is free', { dr: { selects: { used: 0, capacity: 1 } } }],
  ])('%s', (_, seen) => {
    const before = ticks(startingPace(limits), 3, { dr: { waits: 9, rows: 0, slowRows: 0 } });
    const usual: Seen = { dr: { waits: 9 } };
    expect(tick(before, { ...usual, ...seen })).toMatchObject({ copies: 4, reason: null });
  });
});

test('between calm and struggling it stays as it is', () => {
  const nearly: Seen = { dr: { selects: { used: 3, capacity: 4 } } };
  expect(tick(full(), nearly)).toMatchObject({ copies: 4, reason: null });
  const slower = tick(full(), { dr: { latencyMs: 3_000 } });
  const held = ticks(slower, 10, nearly);
  expect(held.copies).toBe(2);
  expect(held.reason).toBe('dr has 3 of 4 slots for reading in use: 2 of 4 copies at a time');
});

test('a latency becomes usual only while the site is calm: a lasting struggle stays one', () => {
  const pace = ticks(full(), 100, { dr: { latencyMs: 1_200 } });
  expect(pace.copies).toBe(1);
  expect(pace.reason).toContain('(usually 0.1 s)');
});

test('a site that has always answered in a second is treated with care, without a word of what is usual', () => {
  const pace = ticks(startingPace(limits), 5, { dr: { latencyMs: 1_010 } });
  expect(pace).toMatchObject({
    copies: 1,
    reason: 'dr answers queries in 1.0 s: 1 of 4 copies at a time',
  });
});

describe('stopped', () => {
  const readOnly: Seen = { dr: { readOnly: true } };
  const spare = (bytes: number): Seen => ({ dr: { freeBytes: 10e6 + bytes } });

  test('by a read-only destination, until it is not, then slowly', () => {
    let pace = tick(full(), readOnly);
    expect(pace).toMatchObject({ copies: 1, stopped: true });
    expect(pace.reason).toBe(
      'dr is read-only, its disk is full (-storage.minFreeDiskSpaceBytes): free disk space there, or give it a larger disk; repairs then go on by themselves',
    );
    pace = tick(pace);
    expect(pace).toMatchObject({ copies: 1, stopped: false });
    expect(ticks(pace, 10)).toMatchObject({ copies: 4, reason: null });
  });

  test('by a lack of disk, until there is clearly more', () => {
    const stopped = tick(full(), spare(400e6));
    expect(stopped.stopped).toBe(true);
    expect(stopped.reason).toContain(
      'dr has 0.4 GB of free disk left before it becomes read-only: free disk space there',
    );
    expect(tick(stopped, spare(700e6)).stopped).toBe(true);
    expect(tick(stopped, spare(1.1e9)).stopped).toBe(false);
    expect(tick(full(), spare(700e6))).toMatchObject({ stopped: false, reason: null });
  });

  test('while nothing is heard of the destination', () => {
    const stopped = tick(full(), readOnly);
    const silent = tick(stopped, { dr: 'it does not answer' });
    expect(silent).toMatchObject({ stopped: true, reason: stopped.reason });
    expect(tick(silent, { primary: 'it does not answer' })).toMatchObject({
      stopped: false,
      copies: 1,
    });
  });
});

test('a lost pace is slow, and bounded by the setting', () => {
  expect(lostPace(limits)).toMatchObject({ copies: 1, bytesPerS: 1_000_000, stopped: false });
  expect(lostPace({ maxCopies: 1, maxBytesPerS: 500 }).bytesPerS).toBe(500);
  expect(lostPace(limits).reason).toContain('is the scheduler running?');
  expect(lostPace(limits, full())).toMatchObject({ copies: 1, bytesPerS: 1_000_000 });
});

test('a stop outlives its governor, and a new one begins slowly with what was learned', () => {
  const stopped = tick(full(), { dr: { readOnly: true } });
  expect(lostPace(limits, stopped)).toEqual(stopped);
  const resumed = resumedPace(limits, stopped);
  expect(resumed).toMatchObject({ copies: 1, stopped: true, reason: stopped.reason });
  expect(tick(resumed)).toMatchObject({ copies: 1, stopped: false });
  expect(resumedPace(limits, full())).toMatchObject({ copies: 1, stopped: false });
  expect(resumedPace(limits, full()).memory).toEqual(full().memory);
  expect(resumedPace(limits, undefined)).toEqual(startingPace(limits));
});

test('one copy at the most needs no reason when all is calm', () => {
  const one = { maxCopies: 1, maxBytesPerS: 5_000 };
  const pace = tick(startingPace(one), {}, one);
  expect(pace).toMatchObject({ copies: 1, bytesPerS: 5_000, reason: null });
  expect(tick(pace, { busy: 2 }, one).reason).toContain('1 of 1 copy at a time');
});

const slots = fc.option(
  fc.record({ used: fc.nat(10), capacity: fc.integer({ min: 1, max: 10 }) }),
  { nil: undefined },
);
const amount = (most: number) => fc.option(fc.nat(most), { nil: undefined });
const load: fc.Arbitrary<SiteLoad> = fc.record({
  latencyMs: fc.oneof(fc.integer({ min: 1, max: 50 }), fc.nat(5_000)),
  inserts: slots,
  selects: slots,
  waits: amount(5),
  pendingRows: amount(40_000_000),
  rows: amount(2_000_000),
  slowRows: amount(500_000),
  freeBytes: amount(2_000_000_000),
  keptFreeBytes: amount(500_000_000),
  readOnly: fc.option(fc.boolean(), { nil: undefined }),
});
const seenLoad = fc.oneof(
  { weight: 9, arbitrary: load },
  { weight: 1, arbitrary: fc.constant('-') },
);
const scene = fc.record({
  primary: seenLoad,
  dr: seenLoad,
  busy: fc.oneof(fc.constant(0), fc.nat(3)),
});
const someLimits = fc.record({
  maxCopies: fc.integer({ min: 1, max: 16 }),
  maxBytesPerS: fc.option(fc.integer({ min: 1_000, max: 1e9 }), { nil: null }),
});

test('whatever is seen: within the limits, a step up at most, a reason for all that is slow', () => {
  fc.assert(
    fc.property(fc.array(scene, { maxLength: 30 }), someLimits, (scenes, of) => {
      let pace = startingPace(of);
      for (const { primary, dr, busy } of scenes) {
        const before = pace;
        pace = tick(before, { primary, dr, busy }, of);
        expect(pace.copies).toBeGreaterThanOrEqual(1);
        expect(pace.copies).toBeLessThanOrEqual(Math.min(of.maxCopies, before.copies + 1));
        expect(pace.bytesPerS).toBe(of.maxBytesPerS);
        if (pace.copies < of.maxCopies || pace.stopped) expect(pace.reason).toBeTruthy();
        const unread = typeof primary === 'string' || typeof dr === 'string';
        if (unread || pace.stopped) expect(pace.copies).toBe(1);
        if (busy > 0) {
          expect(pace.copies).toBeLessThanOrEqual(Math.max(1, Math.floor(before.copies / 2)));
        }
        if (typeof dr === 'object' && dr.readOnly) expect(pace.stopped).toBe(true);
      }
    }),
    { numRuns: 1_000 },
  );
});

test('whatever was seen: calm brings full speed in as many steps as there are copies, and lasting struggle one copy', () => {
  fc.assert(
    fc.property(fc.array(scene, { maxLength: 10 }), (scenes) => {
      const before = scenes.reduce<Pace>((pace, seen) => tick(pace, seen), startingPace(limits));
      const level = { waits: 5, rows: 2_000_000, slowRows: 500_000 };
      expect(ticks(before, 6, { primary: level, dr: level })).toMatchObject({
        copies: 4,
        reason: null,
      });
      expect(ticks(before, 3, { busy: 1 }).copies).toBe(1);
    }),
    { numRuns: 500 },
  );
});

test('a load that stays the same makes a pace that stays the same', () => {
  fc.assert(
    fc.property(load, load, (primary, dr) => {
      const settled = ticks(startingPace(limits), 10, { primary, dr });
      const next = ticks(settled, 3, { primary, dr });
      expect([next.copies, next.stopped]).toEqual([settled.copies, settled.stopped]);
    }),
    { numRuns: 500 },
  );
});
