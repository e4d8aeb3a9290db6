import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  addToBackfill,
  type Backfill,
  beingBackfilled,
  changeBackfill,
  giveUpBackfillsBefore,
  isUnfinished,
  lengthMs,
  makeWindow,
  mergeWindows,
  proveBackfills,
  reopenBackfills,
  startBackfill,
  subtractWindows,
  type Window,
} from '../src/index.ts';

const asked = { id: 'b1', window: makeWindow(100, 200), match: [], requestedMs: 1_000 };
const nothing = { activeSite: 'primary' as const, backfills: [] as readonly Backfill[] };
const started = startBackfill(nothing, asked);
const [open] = started.state.backfills as [Backfill];
const kinds = ({ events }: { events: readonly { kind: string }[] }) =>
  events.map(({ kind }) => kind);

describe('a wish', () => {
  test('begins in the direction of the active site, with nothing proven', () => {
    expect(open).toEqual({
      ...asked,
      direction: 'primary-to-dr',
      state: 'open',
      unproven: [asked.window],
      samplesRepaired: 0,
      bytesCopied: 0,
      endedMs: null,
    });
    expect(kinds(started)).toEqual(['backfill-started']);
  });

  test('that is known by its id is left as it is, and told once', () => {
    expect(startBackfill(started.state, asked)).toEqual({ state: started.state, events: [] });
  });

  test('is refused without a direction, for the same range again, and among too many', () => {
    expect(() => startBackfill({ ...nothing, activeSite: 'unknown' }, asked)).toThrow(
      /no direction is known yet/,
    );
    expect(() => startBackfill(started.state, { ...asked, id: 'b2' })).toThrow(
      'backfill b1 of the same range is open already',
    );
    const narrowed = { ...asked, id: 'b2', match: ['{job="a"}'] };
    expect(startBackfill(started.state, narrowed).state.backfills).toHaveLength(2);
    const turned = { ...started.state, activeSite: 'dr' as const };
    expect(startBackfill(turned, { ...asked, id: 'b2' }).state.backfills).toHaveLength(2);
    const many = Array.from({ length: 20 }, (_, at) => ({ ...open, id: `b${at}` }));
    const more = { ...asked, id: 'more', window: makeWindow(5, 6) };
    expect(() => startBackfill({ ...nothing, backfills: many }, more)).toThrow(
      /20 backfills are unfinished/,
    );
  });
});

test('pause, resume, cancel: each is told once, and what has ended stays so', () => {
  const paused = changeBackfill(started.state, 'b1', 'pause', 2_000);
  expect(paused.state.backfills[0]).toEqual({ ...open, state: 'paused' });
  expect(kinds(paused)).toEqual(['backfill-paused']);
  expect(changeBackfill(paused.state, 'b1', 'pause', 2_500)).toEqual({
    state: paused.state,
    events: [],
  });
  const resumed = changeBackfill(paused.state, 'b1', 'resume', 3_000);
  expect(resumed.state.backfills).toEqual([open]);
  const cancelled = changeBackfill(paused.state, 'b1', 'cancel', 4_000);
  expect(cancelled.state.backfills).toEqual([{ ...open, state: 'cancelled', endedMs: 4_000 }]);
  expect(changeBackfill(cancelled.state, 'b1', 'cancel', 5_000).events).toEqual([]);
  expect(() => changeBackfill(cancelled.state, 'b1', 'resume', 5_000)).toThrow(
    'backfill b1 is cancelled: there is nothing left to resume',
  );
  expect(() => changeBackfill(cancelled.state, 'b7', 'pause', 5_000)).toThrow(
    /there is no backfill b7/,
  );
});

const found = (proven: readonly Window[], damaged: readonly Window[] = []) => ({
  id: 'b1',
  found: { proven, damaged },
});
const prove = (backfill: Backfill, ...shown: ReturnType<typeof found>[]) =>
  proveBackfills([backfill], 'primary-to-dr', shown, 9_000);

test('what is proven leaves it, and with nothing left it is complete, told once', () => {
  const some = prove(open, found([makeWindow(150, 300)], [makeWindow(50, 120)]));
  expect(some.backfills[0]?.unproven).toEqual([makeWindow(100, 150)]);
  expect(some.events).toEqual([]);
  const repaired = addToBackfill(some.backfills, { backfillId: 'b1', samples: 7, bytes: 70 });
  const all = prove(repaired[0] as Backfill, found([makeWindow(100, 150)]));
  expect(all.backfills[0]).toMatchObject({
    state: 'done',
    endedMs: 9_000,
    unproven: [],
    samplesRepaired: 7,
    bytesCopied: 70,
  });
  expect(all.events).toEqual([
    { kind: 'backfill-complete', id: 'b1', window: open.window, samples: 7, tookMs: 8_000 },
  ]);
  expect(prove(all.backfills[0] as Backfill, found([makeWindow(0, 300)])).events).toEqual([]);
});

test('a check of the other direction, or of another backfill, proves nothing of it', () => {
  const shown = [found([makeWindow(0, 300)])];
  expect(proveBackfills([open], 'dr-to-primary', shown, 9_000).backfills).toEqual([open]);
  const other = { ...open, id: 'other' };
  expect(proveBackfills([other], 'primary-to-dr', shown, 9_000).backfills).toEqual([other]);
});

test('what a database refuses to look at is cancelled, with the reason', () => {
  const nothing = { proven: [], damaged: [] };
  const shown = [{ id: open.id, found: nothing, refused: 'bad selector' }];
  const refused = proveBackfills([open], 'primary-to-dr', shown, 9_000);
  expect(refused.backfills[0]).toMatchObject({ state: 'cancelled', endedMs: 9_000 });
  expect(refused.events).toEqual([
    { kind: 'backfill-refused', id: open.id, reason: 'bad selector' },
  ]);
});

test('what leaves the retention leaves the range; what is left can still be completed', () => {
  const at = (beforeMs: number, backfill: Backfill = open) =>
    giveUpBackfillsBefore([backfill], 'primary-to-dr', beforeMs, 9_000);
  expect(at(100).backfills).toEqual([open]);
  expect(at(150).backfills[0]).toMatchObject({
    state: 'open',
    window: makeWindow(150, 200),
    unproven: [makeWindow(150, 200)],
  });
  const done = at(150, { ...open, unproven: [makeWindow(100, 150)] });
  expect(done.backfills[0]).toMatchObject({ state: 'done', window: makeWindow(150, 200) });
  expect(kinds(done)).toEqual(['backfill-complete']);
  const gone = at(200);
  expect(gone.backfills[0]).toMatchObject({ state: 'cancelled', endedMs: 9_000 });
  expect(kinds(gone)).toEqual(['backfill-given-up']);
  expect(at(300, gone.backfills[0]).events).toEqual([]);
});

test('a forgotten repair makes a backfill go on, also one that was done', () => {
  const lost = [makeWindow(180, 250)];
  const done: Backfill = { ...open, state: 'done', unproven: [], endedMs: 5 };
  const again = { ...open, unproven: [makeWindow(180, 200)] };
  const reopened = (backfill: Backfill) => reopenBackfills([backfill], 'primary-to-dr', lost)[0];
  expect(reopened(done)).toEqual(again);
  expect(reopened({ ...done, state: 'paused' })).toEqual({ ...again, state: 'paused' });
  const cancelled: Backfill = { ...done, state: 'cancelled' };
  expect(reopened(cancelled)).toEqual(cancelled);
  const elsewhere = { ...done, direction: 'dr-to-primary' as const };
  expect(reopened(elsewhere)).toEqual(elsewhere);
});

test('a range is at work only when one unnarrowed backfill holds all of it', () => {
  const at = (backfill: Backfill, window: Window) =>
    beingBackfilled([backfill], 'primary-to-dr', window)?.id;
  expect(at(open, makeWindow(120, 200))).toBe('b1');
  expect(at({ ...open, state: 'paused' }, makeWindow(120, 200))).toBe('b1');
  expect(at(open, makeWindow(120, 201))).toBeUndefined();
  expect(at({ ...open, match: ['{a="b"}'] }, makeWindow(120, 200))).toBeUndefined();
  expect(at({ ...open, state: 'done' }, makeWindow(120, 200))).toBeUndefined();
});

test('of those that ended the last twenty are remembered, of the others all', () => {
  let backfills: readonly Backfill[] = [open, { ...open, id: 'b2', state: 'paused' }];
  const ended = Array.from({ length: 30 }, (_, at) => ({
    ...open,
    id: `e${at}`,
    state: 'done' as const,
    unproven: [],
    endedMs: at,
  }));
  backfills = proveBackfills([...ended, ...backfills], 'primary-to-dr', [], 99).backfills;
  expect(backfills.filter(isUnfinished).map(({ id }) => id)).toEqual(['b1', 'b2']);
  expect(backfills).toHaveLength(22);
  expect(backfills.map(({ id }) => id)).toContain('e29');
  expect(backfills.map(({ id }) => id)).not.toContain('e9');
});

const someWindows = fc.array(
  fc
    .tuple(fc.integer({ min: 8, max: 22 }), fc.integer({ min: 1, max: 6 }))
    .map(([from, length]) => makeWindow(from * 10, (from + length) * 10)),
  { maxLength: 4 },
);

test('a backfill is done only when every part of its range was proven after its last damage', () => {
  const shown = fc.array(fc.record({ proven: someWindows, damaged: someWindows }), {
    maxLength: 12,
  });
  let ended = 0;
  fc.assert(
    fc.property(shown, (checks) => {
      let backfill = open;
      let left: readonly Window[] = [open.window];
      for (const { proven, damaged } of checks) {
        if (!isUnfinished(backfill)) break;
        const step = prove(backfill, found(proven, damaged));
        backfill = step.backfills[0] as Backfill;
        left = mergeWindows([
          ...subtractWindows(left, proven),
          ...subtractWindows(damaged, [makeWindow(0, 100), makeWindow(200, 1_000)]),
        ]);
        expect(backfill.unproven).toEqual(left);
        expect(backfill.state).toBe(left.length === 0 ? 'done' : 'open');
        expect(step.events.length).toBe(left.length === 0 ? 1 : 0);
        for (const window of backfill.unproven) expect(lengthMs(window)).toBeGreaterThan(0);
      }
      if (backfill.state === 'done') ended += 1;
    }),
    { numRuns: 1_000 },
  );
  expect(ended).toBeGreaterThan(10);
});
