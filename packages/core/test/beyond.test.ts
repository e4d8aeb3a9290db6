import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  type Ageing,
  ageOut,
  type BeyondRepair,
  directionFrom,
  makeWindow,
  repairEdgeMs,
  repairEdges,
  SITES,
  type SiteObservation,
  subtractWindows,
  tell,
  unsurveyed,
  type Window,
} from '../src/index.ts';

const day = 86_400_000;
const hour = day / 24;
const stepMs = 300_000;
const startMs = Date.UTC(2026, 10, 24);
const forward = directionFrom('primary');

type Limits = Partial<Pick<SiteObservation, 'retentionMs' | 'maxBackfillAgeMs'>>;

const observed = (primary: Limits, dr: Limits): SiteObservation[] =>
  SITES.map((site) => ({
    site,
    url: `http://${site}`,
    startedMs: undefined,
    dedupMs: 0,
    retentionMs: undefined,
    maxBackfillAgeMs: undefined,
    readOnly: false,
    ...(site === 'primary' ? primary : dr),
  }));

describe('the edge that a repair reaches', () => {
  const edge = (primary: Limits, dr: Limits) =>
    repairEdgeMs(100 * day, forward, observed(primary, dr));

  test('lies a day before the end of the shorter retention', () => {
    expect(edge({ retentionMs: 30 * day }, { retentionMs: 60 * day })).toBe(71 * day);
    expect(edge({ retentionMs: 60 * day }, { retentionMs: 30 * day })).toBe(71 * day);
    expect(edge({}, { retentionMs: 60 * day })).toBe(41 * day);
    expect(edge({}, {})).toBe(0);
    expect(edge({}, { retentionMs: 1_000 * day })).toBe(0);
    // The shortest retention there is leaves something to compare.
    expect(edge({ retentionMs: day }, { retentionMs: day })).toBe(99.5 * day);
  });

  test('is nearer where the destination, not the source, accepts less than it keeps', () => {
    const retentionMs = 30 * day;
    const limited = { retentionMs, maxBackfillAgeMs: 10 * hour };
    expect(edge({ retentionMs }, limited)).toBe(100 * day - 9 * hour);
    expect(edge(limited, { retentionMs })).toBe(71 * day);
    expect(edge({ retentionMs }, { retentionMs, maxBackfillAgeMs: 1_000 * day })).toBe(71 * day);
  });

  test('names every limit that is known, also where there is none', () => {
    expect(repairEdges(100 * day, forward, observed({}, { retentionMs: 30 * day }))).toEqual([
      { reason: 'destination-retention', beforeMs: 71 * day },
      { reason: 'destination-backfill-age', beforeMs: 0 },
    ]);
    expect(repairEdges(100 * day, forward, observed({ retentionMs: 30 * day }, {}))).toEqual([
      { reason: 'source-retention', beforeMs: 71 * day },
    ]);
  });
});

const nothingOpen = (sinceMs: number, throughMs: number): Ageing => ({
  mark: { sinceMs, throughMs, unproven: [], earlier: [] },
  history: unsurveyed(startMs, sinceMs),
  beyondRepair: [],
});

const open = (...unproven: Window[]): Ageing => {
  const none = nothingOpen(startMs - 40 * day, startMs);
  return { ...none, mark: { ...none.mark, unproven } };
};

const dropEvents = ({ mark, history, beyondRepair }: Ageing): Ageing => ({
  mark,
  history,
  beyondRepair,
});

const age = (
  before: Ageing,
  limits: Limits = { retentionMs: 3 * day },
  nowMs = startMs,
  missingIn: (window: Window) => number | null = () => null,
) => {
  const observations = observed({ retentionMs: 30 * day }, limits);
  return ageOut(before, { nowMs, direction: forward, observations, stepMs, missingIn });
};

const agoMs = (days: number): number => startMs - days * day;

describe('what becomes too old', () => {
  test('is kept with its reason when it was open, and told once', () => {
    const aged = age(open(makeWindow(agoMs(5), agoMs(4)), makeWindow(agoMs(2), agoMs(1))));
    expect(aged.mark.unproven).toEqual([makeWindow(agoMs(2), agoMs(1))]);
    expect(aged.beyondRepair).toEqual([
      {
        direction: 'primary-to-dr',
        window: makeWindow(agoMs(5), agoMs(4)),
        reason: 'destination-retention',
        sinceMs: startMs,
        samplesMissing: null,
      },
    ]);
    const [event, ...more] = aged.events;
    expect(more).toEqual([]);
    expect(event && tell(event)).toMatchInlineSnapshot(`
      {
        "notify": true,
        "severity": "warn",
        "text": "⚠️ VM-Sync: Beyond repair: 2026-11-19T00:00:00Z – 2026-11-20T00:00:00Z was not proven (primary → dr) and is older than dr keeps (-retentionPeriod); READY does not wait for it",
      }
    `);
    expect(age(dropEvents(aged))).toMatchObject({ ...dropEvents(aged), events: [] });
    // Asked for again, as by a backfill, it is no news.
    const again = { ...aged, mark: open(makeWindow(agoMs(5), agoMs(4))).mark };
    expect(age(again)).toMatchObject({ beyondRepair: aged.beyondRepair, events: [] });
  });

  test('is no news when it was proven', () => {
    const none = nothingOpen(agoMs(40), startMs);
    expect(age(none)).toEqual({ ...none, edgeMs: agoMs(2), events: [] });
  });

  test('is told with what will follow, and then grows without a word', () => {
    let { events, ...aged } = age(open(makeWindow(agoMs(3), agoMs(1))));
    expect(events).toMatchObject([
      { windows: [makeWindow(agoMs(3), agoMs(2))], followsToMs: agoMs(1) },
    ]);
    expect(events.map((event) => tell(event).text).join()).toContain('2026-11-23T00:00:00.000Z');
    for (let nowMs = startMs; nowMs <= startMs + 2 * day; nowMs += 120_000) {
      ({ events, ...aged } = age(aged, { retentionMs: 3 * day }, nowMs));
      expect(events).toEqual([]);
    }
    expect(aged.mark.unproven).toEqual([]);
    expect(aged.beyondRepair).toMatchObject([
      { window: makeWindow(agoMs(3), agoMs(1)), sinceMs: startMs },
    ]);
  });

  test('may be known to differ only: history before the first check', () => {
    const before = nothingOpen(agoMs(1), startMs);
    const differing = [makeWindow(agoMs(4), agoMs(3)), makeWindow(agoMs(2), agoMs(1))];
    const aged = age({ ...before, history: { ...before.history, differing } });
    expect(aged.history.differing).toEqual([makeWindow(agoMs(2), agoMs(1))]);
    expect(aged.beyondRepair).toMatchObject([{ window: makeWindow(agoMs(4), agoMs(3)) }]);
    const raised = age(dropEvents(aged), { retentionMs: 30 * day });
    // Told, but not repaired unasked.
    expect(raised.history.differing).toEqual(differing);
    expect(raised.mark.unproven).toEqual([]);
  });

  test('has the reason that lasts longest, part by part', () => {
    const limits = { retentionMs: 5 * day, maxBackfillAgeMs: 10 * hour };
    const aged = age(open(makeWindow(agoMs(40), startMs)), limits);
    expect(aged.beyondRepair.map(({ reason, window }) => [reason, window])).toEqual([
      ['destination-retention', makeWindow(agoMs(40), agoMs(4))],
      ['destination-backfill-age', makeWindow(agoMs(4), startMs - 9 * hour)],
    ]);
    expect(aged.events).toHaveLength(2);
  });

  test('keeps the number of samples that are known to be missing', () => {
    const counted = age(open(makeWindow(agoMs(5), agoMs(4))), undefined, startMs, () => 7);
    expect(counted.beyondRepair).toMatchObject([{ samplesMissing: 7 }]);
    const more = { ...dropEvents(counted), mark: open(makeWindow(agoMs(4), agoMs(3))).mark };
    expect(age(more).beyondRepair).toMatchObject([
      { samplesMissing: 7, window: makeWindow(agoMs(5), agoMs(3)) },
    ]);
  });
});

describe('a limit that was raised', () => {
  const aged = dropEvents(age(open(makeWindow(agoMs(5), agoMs(4)))));

  test('makes open again what lies inside now', () => {
    const raised = age(aged, { retentionMs: 5.5 * day });
    expect(raised.mark.unproven).toEqual([makeWindow(agoMs(4.5), agoMs(4))]);
    expect(raised.beyondRepair).toMatchObject([{ window: makeWindow(agoMs(5), agoMs(4.5)) }]);
    expect(raised.events).toEqual([]);
    const back = age(dropEvents(raised));
    expect(back.beyondRepair).toEqual(aged.beyondRepair);
  });

  test('is not guessed from a site that does not say anything', () => {
    expect(dropEvents(age(aged, {}))).toEqual(aged);
  });

  test('of the other direction changes nothing here', () => {
    const observations = observed({ retentionMs: 30 * day }, { retentionMs: 30 * day });
    const now = { nowMs: startMs, direction: directionFrom('dr'), observations, stepMs };
    const other = ageOut(aged, { ...now, missingIn: () => null });
    expect(other.beyondRepair).toEqual(aged.beyondRepair);
  });
});

describe('is forgotten', () => {
  const old = (at: number): BeyondRepair => ({
    direction: 'primary-to-dr',
    window: makeWindow(agoMs(at), agoMs(at) + stepMs),
    reason: 'destination-retention',
    sinceMs: startMs,
    samplesMissing: null,
  });

  test('when neither site can hold anything of it any more', () => {
    const before = { ...nothingOpen(0, startMs), beyondRepair: [old(62), old(60)] };
    expect(age(before).beyondRepair).toEqual([old(60)]);
    // Where a site does not say how long it keeps, nothing is.
    expect(age(before, {}).beyondRepair).toEqual([old(62), old(60)]);
  });

  test('when there are hundreds: the oldest first', () => {
    const many = Array.from({ length: 500 }, (_, at) => old(50 - at / 20));
    const kept = age({ ...nothingOpen(0, startMs), beyondRepair: many }).beyondRepair;
    expect(kept).toEqual(many.slice(-200));
  });
});

/** Buckets of an hour by their number. */
const held = (windows: readonly Window[]): Set<number> =>
  new Set(
    windows.flatMap(({ fromMs, toMs }) =>
      Array.from({ length: (toMs - fromMs) / hour }, (_, at) => fromMs / hour + at + 1),
    ),
  );

test('whatever the limits do, open time is either open or beyond repair, never both, never lost', () => {
  const begin = Math.floor(agoMs(20) / hour);
  const windows = fc.array(
    fc
      .tuple(fc.nat(15 * 24), fc.integer({ min: 1, max: 48 }))
      .map(([from, length]) => makeWindow((begin + from) * hour, (begin + from + length) * hour)),
    { minLength: 1, maxLength: 5 },
  );
  const limits = fc.record({
    retentionMs: fc.constantFrom(undefined, 2 * day, 5 * day, 12 * day, 30 * day),
    maxBackfillAgeMs: fc.constantFrom(undefined, undefined, 10 * hour, 10 * day),
    laterMs: fc.constantFrom(0, hour, 7 * hour, 2 * day),
  });
  fc.assert(
    fc.property(
      windows,
      windows,
      fc.array(limits, { maxLength: 12 }),
      (unproven, differing, steps) => {
        const sinceMs = agoMs(10);
        const start = nothingOpen(sinceMs, startMs + 100 * day);
        const young = { fromMs: sinceMs, toMs: Number.MAX_SAFE_INTEGER };
        let at: Ageing = {
          ...start,
          mark: {
            ...start.mark,
            unproven: subtractWindows(unproven, [{ fromMs: 0, toMs: sinceMs }]),
          },
          history: { ...start.history, differing: subtractWindows(differing, [young]) },
        };
        const all = held([...at.mark.unproven, ...at.history.differing]);
        let nowMs = startMs;
        for (const { laterMs, ...limit } of steps) {
          nowMs += laterMs;
          const known = at.beyondRepair;
          const observations = observed({ retentionMs: 30 * day }, limit);
          const now = { nowMs, direction: forward, observations, stepMs: hour };
          const { events, edgeMs, ...next } = ageOut(at, { ...now, missingIn: () => null });
          at = next;
          const opened = held([...at.mark.unproven, ...at.history.differing]);
          const beyond = held(at.beyondRepair.map(({ window }) => window));
          expect(new Set([...opened, ...beyond])).toEqual(all);
          expect([...opened].some((bucket) => beyond.has(bucket))).toBe(false);
          expect(
            at.beyondRepair.reduce(
              (sum, { window }) => sum + (window.toMs - window.fromMs) / hour,
              0,
            ),
          ).toBe(beyond.size);
          // Nothing that is open is out of reach; nothing is told that was known.
          for (const bucket of opened) expect(bucket * hour).toBeGreaterThan(edgeMs);
          for (const event of events) {
            if (event.kind !== 'beyond-repair') throw new Error(event.kind);
            for (const window of event.windows) {
              expect(
                subtractWindows(
                  [window],
                  known.map((one) => one.window),
                ),
              ).toEqual([window]);
            }
          }
          for (const one of at.mark.unproven) expect(one.fromMs).toBeGreaterThanOrEqual(sinceMs);
          for (const one of at.history.differing) expect(one.toMs).toBeLessThanOrEqual(sinceMs);
        }
      },
    ),
    { numRuns: 1_000 },
  );
});
