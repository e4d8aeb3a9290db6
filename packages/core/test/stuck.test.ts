import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  acknowledgeStuck,
  type Chunk,
  directionFrom,
  forgetInto,
  forgetProven,
  forgetWithin,
  makeWindow,
  NOTHING_STUCK,
  noteRepaired,
  noteShort,
  type StuckMemory,
  setAsideStuck,
  stuckId,
  stuckReasons,
  stuckSamples,
  tell,
  type Window,
} from '../src/index.ts';

const hour = 3_600_000;
const day = 24 * hour;
const startMs = Date.UTC(2026, 10, 24);
const forward = directionFrom('primary');
const backward = directionFrom('dr');

const chunk = (at: number, samples = 40, selectors = ['{a="1"}', '{a="2"}']): Chunk => ({
  selectors,
  window: makeWindow(startMs + at * hour, startMs + (at + 1) * hour),
  series: 2,
  samples,
});

const plan = (...chunks: Chunk[]) => ({ chunks });
const repaired = (...chunks: Chunk[]): StuckMemory =>
  noteRepaired(NOTHING_STUCK, forward, chunks, startMs);
const nowMs = startMs + 60_000;

describe('a chunk that is planned again', () => {
  test('with the same samples missing after a repair is set aside, and told once', () => {
    const first = setAsideStuck(repaired(chunk(0), chunk(2)), forward, plan(chunk(0)), nowMs);
    expect(first).toMatchObject({ toRepair: [], stuck: [chunk(0)] });
    expect(first.events).toEqual([
      {
        kind: 'gap-stuck',
        direction: forward,
        chunks: 1,
        samples: 40,
        window: chunk(0).window,
        sinceMs: startMs,
        reason: null,
      },
    ]);
    const again = setAsideStuck(first.memory, forward, plan(chunk(0)), nowMs + hour);
    expect(again).toMatchObject({ toRepair: [], stuck: [chunk(0)], events: [] });
    expect(stuckReasons(again.memory, forward).join()).toMatch(
      /^stuck since 2026-11-24T00:00:00.000Z: 40 samples in 1 chunk, .* --to 2026-11-24T01:00:00.000Z$/,
    );
    expect(stuckReasons(again.memory, backward)).toEqual([]);
  });

  test('whatever the order of its selectors', () => {
    const turned = chunk(0, 40, ['{a="2"}', '{a="1"}']);
    expect(setAsideStuck(repaired(chunk(0)), forward, plan(turned), nowMs).stuck).toEqual([turned]);
  });

  test.each<[string, StuckMemory, Chunk, number]>([
    ['that nobody tried', NOTHING_STUCK, chunk(0), nowMs],
    ['with another number of samples missing', repaired(chunk(0)), chunk(0, 39), nowMs],
    ['of other series', repaired(chunk(0)), chunk(0, 40, ['{a="1"}']), nowMs],
    ['of another window', repaired(chunk(0)), chunk(1), nowMs],
    ['after a day', repaired(chunk(0)), chunk(0), startMs + day],
    ['after a restart', forgetInto(repaired(chunk(0)), 'primary-to-dr'), chunk(0), nowMs],
    [
      'in a window that a person asked for',
      forgetWithin(repaired(chunk(0)), 'primary-to-dr', makeWindow(startMs + 1, startMs + 2)),
      chunk(0),
      nowMs,
    ],
    [
      'in the other direction',
      noteRepaired(NOTHING_STUCK, backward, [chunk(0)], startMs),
      chunk(0),
      nowMs,
    ],
  ])('%s is repaired', (_, memory, one, atMs) => {
    const aside = setAsideStuck(memory, forward, plan(one), atMs);
    expect(aside).toMatchObject({ toRepair: [one], stuck: [], events: [] });
    expect(stuckReasons(aside.memory, forward)).toEqual([]);
  });

  test('is tried once a day, without being told again as long as nothing changes', () => {
    let memory = setAsideStuck(repaired(chunk(0)), forward, plan(chunk(0)), nowMs).memory;
    let [tries, told] = [0, 0];
    for (let atMs = nowMs; atMs < startMs + 10 * day; atMs += 10 * 60_000) {
      const aside = setAsideStuck(memory, forward, plan(chunk(0)), atMs);
      told += aside.events.length;
      tries += aside.toRepair.length;
      memory = noteRepaired(aside.memory, forward, aside.toRepair, atMs + 1_000);
    }
    expect({ tries, told }).toEqual({ tries: 9, told: 0 });
    expect(memory.attempted).toMatchObject([{ times: 10, firstMs: startMs }]);
    const changed = setAsideStuck(memory, forward, plan(chunk(0, 41)), startMs + 10 * day);
    expect(changed).toMatchObject({ toRepair: [chunk(0, 41)], stuck: [] });
    memory = noteRepaired(changed.memory, forward, [chunk(0, 41)], startMs + 10 * day);
    const after = setAsideStuck(memory, forward, plan(chunk(0, 41)), startMs + 10 * day + 1);
    expect(after.events).toMatchObject([{ kind: 'gap-stuck', sinceMs: startMs + 10 * day }]);
  });
});

test('what has been proven is forgotten, and what has changed its shape', () => {
  const memory = repaired(chunk(0), chunk(2), chunk(4));
  const left = ({ attempted }: StuckMemory) =>
    attempted.map(({ window }) => (window.fromMs - startMs) / hour);
  const proven = (...windows: Window[]) => left(forgetProven(memory, 'primary-to-dr', windows));
  expect(proven()).toEqual([0, 2, 4]);
  expect(proven(chunk(2).window)).toEqual([0, 4]);
  // A part of it proves nothing; two parts may be the whole.
  expect(proven(makeWindow(startMs, startMs + 1))).toEqual([0, 2, 4]);
  expect(proven(makeWindow(startMs, startMs + 1), makeWindow(startMs + 1, startMs + hour))).toEqual(
    [2, 4],
  );
  expect(forgetProven(memory, 'dr-to-primary', [chunk(0).window])).toEqual(memory);

  // Other plans of the same check say nothing of it.
  expect(left(setAsideStuck(memory, forward, plan(), nowMs).memory)).toEqual([0, 2, 4]);
  expect(left(setAsideStuck(memory, forward, plan(chunk(7)), nowMs).memory)).toEqual([0, 2, 4]);
  const grown = { ...chunk(2), window: makeWindow(startMs + 2 * hour, startMs + 5 * hour) };
  expect(left(setAsideStuck(memory, forward, plan(grown), nowMs).memory)).toEqual([0]);
  const others = { ...grown, selectors: ['{b="1"}'] };
  expect(left(setAsideStuck(memory, forward, plan(others), nowMs).memory)).toEqual([0, 2, 4]);
});

describe('a chunk that failed as short', () => {
  const failed = (at: number, failedMs = startMs) => ({
    chunk: chunk(at),
    failedMs,
    reason: `chunk ${at}: dr dropped it`,
  });

  test('is told once, however long it stays failed', () => {
    const first = noteShort(NOTHING_STUCK, forward, [failed(0), failed(3)], nowMs);
    expect(first.events).toEqual([
      {
        kind: 'gap-stuck',
        direction: forward,
        chunks: 2,
        samples: 80,
        window: makeWindow(chunk(0).window.fromMs, chunk(3).window.toMs),
        sinceMs: startMs,
        reason: 'chunk 0: dr dropped it',
      },
    ]);
    let { memory } = first;
    for (let at = 1; at < 20; at++) {
      const next = noteShort(memory, forward, [failed(0)], nowMs + at * day);
      expect(next.events).toEqual([]);
      memory = next.memory;
    }
    // Seen again and again, it was tried once; the other one has gone.
    expect(memory.attempted).toMatchObject([{ times: 1, outcome: 'short', firstMs: startMs }]);
    const retried = noteShort(memory, forward, [failed(0, nowMs + 20 * day)], nowMs + 20 * day);
    expect(retried.events).toEqual([]);
    expect(retried.memory.attempted).toMatchObject([{ times: 2 }]);
  });

  test('is told again after the destination restarted', () => {
    const { memory } = noteShort(NOTHING_STUCK, forward, [failed(0)], nowMs);
    const after = forgetInto(memory, 'primary-to-dr');
    expect(noteShort(after, forward, [failed(0, nowMs + 1)], nowMs + 1).events).toHaveLength(1);
  });

  test('speaks for itself, and whoever removes its job wants it tried', () => {
    const { memory } = noteShort(NOTHING_STUCK, forward, [failed(0)], nowMs);
    expect(stuckReasons(memory, forward)).toEqual([]);
    expect(setAsideStuck(memory, forward, plan(chunk(0)), nowMs).toRepair).toEqual([chunk(0)]);
    expect(setAsideStuck(memory, forward, plan(), nowMs).memory).toEqual(memory);
  });
});

test('samples are known to be stuck where people were told, inside of a window', () => {
  const memory = setAsideStuck(
    repaired(chunk(0), chunk(1), chunk(5)),
    forward,
    plan(chunk(0), chunk(1, 7)),
    nowMs,
  ).memory;
  const whole = makeWindow(startMs, startMs + 10 * hour);
  expect(stuckSamples(memory, 'primary-to-dr', whole)).toBe(40);
  expect(stuckSamples(memory, 'dr-to-primary', whole)).toBeNull();
  expect(stuckSamples(memory, 'primary-to-dr', makeWindow(startMs + 1, startMs + hour))).toBeNull();
});

test('both sentences say what lacks how much, since when, and what to do', () => {
  const [aside] = setAsideStuck(repaired(chunk(0)), forward, plan(chunk(0)), nowMs).events;
  const reason = 'repair primary → dr, W: dr lacks 3 samples; raise -maxLabelValueLen';
  const short = [0, 1].map((at) => ({ chunk: chunk(at), failedMs: startMs, reason }));
  const [failed] = noteShort(NOTHING_STUCK, forward, short, nowMs).events;
  expect([aside, failed].map((event) => event && tell(event))).toMatchInlineSnapshot(`
    [
      {
        "notify": true,
        "severity": "warn",
        "text": "⚠️ VM-Sync: Gap stuck: dr lacks 40 samples in 1 chunk, 2026-11-24T00:00:00Z – 01:00:00Z (primary → dr), as before the repair of 2026-11-24T00:00:00.000Z, which was read back as complete; look at dr's log and at what stands before it; repaired again when dr restarts, when the gap changes, after a day, or by vm-sync backfill --from 2026-11-24T00:00:00.000Z --to 2026-11-24T01:00:00.000Z",
      },
      {
        "notify": true,
        "severity": "warn",
        "text": "⚠️ VM-Sync: Gap stuck: repair primary → dr, W: dr lacks 3 samples; raise -maxLabelValueLen (and 1 chunk more)",
      },
    ]
  `);
});

test('no number of chunks makes the memory large, and none that is stuck is pushed out', () => {
  const many = (from: number) => Array.from({ length: 900 }, (_, at) => chunk(from + at));
  const stuck = setAsideStuck(repaired(...many(0)), forward, plan(...many(0)), nowMs).memory;
  const full = noteRepaired(stuck, forward, many(2_000), nowMs + 1);
  expect(full.attempted.length).toBe(1_000);
  expect(full.attempted.filter((one) => one.stuck).length).toBe(900);
  expect(JSON.stringify(full).length).toBeLessThan(300_000);
  expect(noteRepaired(full, backward, [chunk(0)], nowMs + 3 * day).attempted).toHaveLength(1);
});

/** A database that mends some gaps at once, some never, and forgets everything when it restarts. */
const act = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('check' as const),
      laterMs: fc.constantFrom(60_000, hour, 5 * hour),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('restart' as const), laterMs: fc.constant(1_000) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('change' as const),
      gap: fc.nat(3),
      laterMs: fc.constant(1_000),
    }),
  },
);

test('no gap is repaired twice within a day unless something changed, and each is told once', () => {
  fc.assert(
    fc.property(fc.array(act, { maxLength: 60 }), fc.subarray([0, 1, 2, 3]), (acts, mendable) => {
      let memory = NOTHING_STUCK;
      let atMs = startMs;
      const missing = new Map([0, 1, 2, 3].map((gap) => [gap, 10]));
      /** When a gap was last repaired, and whether it was told, since anything changed. */
      const since = new Map<number, { repairedMs: number; told: boolean }>();
      for (const one of acts) {
        atMs += one.laterMs;
        if (one.kind === 'restart') {
          memory = forgetInto(memory, 'primary-to-dr');
          since.clear();
        } else if (one.kind === 'change') {
          // Never a number that was there before: that would look like a repair that changed nothing.
          missing.set(one.gap, atMs - startMs);
          since.delete(one.gap);
        } else {
          const chunks = [...missing].map(([gap, samples]) => chunk(gap, samples));
          const aside = setAsideStuck(memory, forward, plan(...chunks), atMs);
          expect(aside.toRepair.length + aside.stuck.length).toBe(chunks.length);
          const toldOf = aside.events.reduce(
            (sum, event) => sum + ('chunks' in event ? event.chunks : 0),
            0,
          );
          let expectTold = 0;
          for (const { window } of aside.stuck) {
            const known = since.get((window.fromMs - startMs) / hour);
            expect(known).toBeDefined();
            if (known && !known.told) {
              expectTold += 1;
              known.told = true;
            }
          }
          expect(toldOf).toBe(expectTold);
          for (const { window } of aside.toRepair) {
            const gap = (window.fromMs - startMs) / hour;
            const known = since.get(gap);
            if (known) expect(atMs - known.repairedMs).toBeGreaterThanOrEqual(day);
            since.set(gap, { repairedMs: atMs, told: known?.told ?? false });
            if (mendable.includes(gap)) missing.delete(gap);
          }
          memory = noteRepaired(aside.memory, forward, aside.toRepair, atMs);
          for (const gap of since.keys()) if (!missing.has(gap)) since.delete(gap);
        }
      }
    }),
    { numRuns: 500 },
  );
});

describe('a stuck gap that a person has acknowledged', () => {
  const anna = { who: 'anna', atMs: nowMs };
  const stuckOnce = setAsideStuck(
    repaired(chunk(0), chunk(2)),
    forward,
    plan(chunk(0), chunk(2)),
    nowMs,
  );
  const [first, second] = stuckOnce.memory.attempted;
  const name = first ? stuckId(first) : '';
  const known = acknowledgeStuck(stuckOnce.memory, [name, 'another'], anna);

  test('is remembered with who and when; the first word counts, and only about what is stuck', () => {
    expect(known.gaps).toEqual([first]);
    expect(known.memory.attempted).toEqual([{ ...first, acknowledged: anna }, second]);
    const again = acknowledgeStuck(known.memory, [name], { who: 'bert', atMs: nowMs + 1 });
    expect(again).toEqual({ gaps: [], memory: known.memory });
    expect(acknowledgeStuck(repaired(chunk(0)), [name], anna).gaps).toEqual([]);
  });

  test('keeps READY away all the same, and the reason names the person', () => {
    expect(stuckReasons(known.memory, forward).join()).toMatch(
      /80 samples .*; 1 of them acknowledged by anna$/,
    );
    const all = acknowledgeStuck(known.memory, [second ? stuckId(second) : ''], anna);
    expect(stuckReasons(all.memory, forward).join()).toMatch(/; acknowledged by anna$/);
  });

  test('stays so when it is tried again and nothing changes, and is not told again', () => {
    const tried = noteRepaired(known.memory, forward, [chunk(0)], nowMs + day);
    const planned = setAsideStuck(tried, forward, plan(chunk(0)), nowMs + day + hour);
    expect(planned.events).toEqual([]);
    expect(planned.memory.attempted[0]).toMatchObject({ acknowledged: anna, times: 2 });
  });

  test('is another gap when it has changed, or its destination restarted: told anew', () => {
    const grown = setAsideStuck(known.memory, forward, plan(chunk(0, 41)), nowMs + hour);
    expect(grown.memory.attempted.some(({ acknowledged }) => acknowledged)).toBe(false);
    const repairedAnew = noteRepaired(
      forgetInto(known.memory, 'primary-to-dr'),
      forward,
      [chunk(0)],
      nowMs + hour,
    );
    const told = setAsideStuck(repairedAnew, forward, plan(chunk(0)), nowMs + hour);
    expect(told.events).toHaveLength(1);
    expect(told.memory.attempted[0]?.acknowledged).toBeUndefined();
  });
});
