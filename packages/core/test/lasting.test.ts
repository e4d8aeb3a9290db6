import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  afterCheck,
  type Believed,
  type CheckReport,
  directionFrom,
  EMPTY_STATE,
  isLongRepair,
  makeWindow,
  NOTHING_BELIEVED,
  NOTHING_TALLIED,
  noteLasting,
  type Progress,
  type Site,
  type SiteView,
  type SyncState,
} from '../src/index.ts';

const interval = 120_000;
const limits = { lastsMs: interval / 2, readyBackMs: 8 * interval };
const step = 60_000;

type Check =
  | 'clean'
  | 'gaps'
  /** Nothing lacks, but something else speaks against READY. */
  | 'doubt'
  | 'dr silent'
  | 'primary silent'
  | 'queries fail'
  | 'dns fails'
  | 'dr active';

const healthy: SiteView = {
  healthy: true,
  observation: {
    site: 'dr',
    url: 'http://dr',
    startedMs: 1,
    dedupMs: 0,
    retentionMs: undefined,
    maxBackfillAgeMs: undefined,
    readOnly: false,
  },
};
const silent: SiteView = { healthy: false, url: 'http://x', reason: 'ECONNREFUSED' };

function reportOf(check: Check, atMs: number, state: SyncState): CheckReport {
  const site: Site | 'unknown' =
    check === 'dr active' ? 'dr' : check === 'dns fails' ? 'unknown' : 'primary';
  const whyNoWriting = check === 'doubt' ? 'the lease contradicts the address' : null;
  const mayWrite = whyNoWriting === null;
  const common = {
    atMs,
    tookMs: 5,
    active: { site, reason: 'DNS', witnesses: [], mayWrite, whyNoWriting, epoch: 1 },
    sites: {
      primary: check === 'primary silent' ? silent : healthy,
      dr: check === 'dr silent' ? silent : healthy,
    },
  };
  if (/silent|fail/.test(check)) {
    const siteFailed = check !== 'dns fails';
    return { ...common, outcome: 'unknown', reason: check, siteFailed };
  }
  const direction = directionFrom(site as Site);
  const horizonMs = Math.floor(atMs / step) * step - step;
  const windows = [makeWindow(0, horizonMs)];
  const gaps = check === 'gaps';
  return {
    ...common,
    outcome: gaps ? 'gaps' : 'clean',
    direction,
    horizonMs,
    forward: gaps ? { proven: [], damaged: windows } : { proven: windows, damaged: [] },
    backward: { proven: windows, damaged: [] },
    backfills: [],
    tallied: gaps ? { ...NOTHING_TALLIED, gaps: 1, missing: 20 } : NOTHING_TALLIED,
    leftOut: false,
    history: { ...(state.history['primary-to-dr'] ?? history) },
    setAside: [],
  };
}

const mark = { sinceMs: 0, throughMs: 0, unproven: [], earlier: [] };
const history = {
  begunMs: 0,
  surveyedFromMs: 0,
  passDone: true,
  complete: true,
  differing: [],
};
const fresh: SyncState = {
  ...EMPTY_STATE,
  marks: { 'primary-to-dr': mark, 'dr-to-primary': mark },
  history: { 'primary-to-dr': history, 'dr-to-primary': history },
};

/** What people are sent over a number of checks, one to an interval: kinds by the number of the check. */
function sentBy(checks: readonly Check[], everyMs = interval): { told: string[]; end: Believed } {
  let state = fresh;
  const told: string[] = [];
  for (const [at, check] of checks.entries()) {
    const report = reportOf(check, (at + 100) * everyMs, state);
    const after = afterCheck(state, report, 3);
    const ready = after.state.failbackReady;
    const lasting = noteLasting(state.believed, { report, events: after.events, ready }, limits);
    for (const { kind } of after.events) {
      if (kind === 'failback-ready' && !lasting.readyIsKnown) told.push(`${at} ${kind}`);
      if (kind === 'gap-detected' || kind === 'sync-complete') told.push(`${at} ${kind}`);
    }
    for (const { kind } of [...lasting.events, ...lasting.due]) told.push(`${at} ${kind}`);
    state = { ...after.state, believed: lasting.believed };
  }
  return { told, end: state.believed };
}

const times = (amount: number, ...checks: Check[]): Check[] =>
  Array.from({ length: amount }, () => checks).flat();

/** Three clean checks, and READY is said at the third. */
const begin = times(4, 'clean');

describe('a change is told when it lasts', () => {
  test('READY at once, and nothing else in quiet times', () => {
    expect(sentBy(times(20, 'clean')).told).toEqual(['2 failback-ready']);
  });

  test.each(['dr silent', 'queries fail', 'dns fails', 'doubt'] as const)(
    'one check with "%s" among good ones is not worth a message, nor is READY that comes back',
    (check) => {
      const { told, end } = sentBy([...begin, check, ...times(12, 'clean')]);
      expect(told).toEqual(['2 failback-ready']);
      expect(end).toMatchObject({ withdrawal: null, failure: null, turn: null, failing: null });
    },
  );

  test('a site that stays silent is told at the second check, once, and that it is back at the second good one', () => {
    const { told } = sentBy([...begin, ...times(5, 'dr silent'), ...times(12, 'clean')]);
    expect(told).toEqual([
      '2 failback-ready',
      '5 check-unknown',
      '5 ready-withdrawn',
      '10 sites-reached',
      expect.stringMatching(/^1\d failback-ready$/),
    ]);
  });

  test('a site that fails at every other check is told once', () => {
    const { told } = sentBy([...begin, ...times(20, 'dr silent', 'clean')]);
    expect(told).toEqual(['2 failback-ready', '6 check-unknown', '6 ready-withdrawn']);
  });

  test('that another site fails too is told, whatever the words of the failure', () => {
    const { told } = sentBy([
      ...begin,
      ...times(3, 'dr silent'),
      ...times(3, 'primary silent'),
      ...times(2, 'clean'),
    ]);
    expect(told).toEqual([
      '2 failback-ready',
      '5 check-unknown',
      '5 ready-withdrawn',
      '8 check-unknown',
      '11 sites-reached',
    ]);
  });

  test('checks in quick succession are no proof that something lasts', () => {
    const { told } = sentBy([...begin, ...times(5, 'dr silent'), 'clean'], 10_000);
    expect(told.filter((text) => !text.endsWith('failback-ready'))).toEqual([]);
  });

  test('a gap takes READY back at once', () => {
    expect(sentBy([...begin, 'gaps']).told).toEqual([
      '2 failback-ready',
      '4 gap-detected',
      '4 ready-withdrawn',
    ]);
  });

  test('a gap that shows after a failed check takes READY back at once', () => {
    expect(sentBy([...begin, 'dr silent', 'gaps']).told).toEqual([
      '2 failback-ready',
      '5 gap-detected',
      '5 ready-withdrawn',
    ]);
  });

  test('a doubt that stays takes READY back', () => {
    expect(sentBy([...begin, 'doubt', 'doubt', 'doubt']).told).toEqual([
      '2 failback-ready',
      '5 ready-withdrawn',
    ]);
  });

  test('READY that is not back when it could be was withdrawn', () => {
    const { told } = sentBy([...begin, 'dr silent', ...times(9, 'doubt')]);
    expect(told).toEqual(['2 failback-ready', '12 ready-withdrawn']);
  });

  test('another active site is told when a second check sees it; the first one is no change', () => {
    const { told } = sentBy(['dns fails', ...begin, ...times(6, 'dr active')]);
    expect(told).toEqual([
      '3 failback-ready',
      expect.stringMatching(/^6 (direction-changed|ready-withdrawn)$/),
      expect.stringMatching(/^6 (direction-changed|ready-withdrawn)$/),
      expect.stringMatching(/failback-ready$/),
    ]);
  });

  test('DNS that names one site and the other in turn tells no direction', () => {
    const { told } = sentBy([...begin, ...times(10, 'dr active', 'clean')]);
    expect(told.filter((text) => text.includes('direction'))).toEqual([]);
  });

  test('DNS that names no site for long is told', () => {
    const { told } = sentBy([...begin, ...times(4, 'dns fails'), ...times(2, 'clean')]);
    expect(told).toContain('5 direction-changed');
    expect(told).toContain('9 direction-changed');
  });
});

test('READY and its end are told in turn, whatever happens', () => {
  const check = fc.constantFrom<Check>('clean', 'gaps', 'doubt', 'dr silent', 'dns fails');
  let ends = 0;
  fc.assert(
    fc.property(fc.array(check, { minLength: 10, maxLength: 60 }), (checks) => {
      const { told } = sentBy(['clean', 'clean', 'clean', ...checks]);
      const turns = told.flatMap((text) => /failback-ready|ready-withdrawn/.exec(text)?.[0] ?? []);
      for (const [at, kind] of turns.entries()) {
        expect(kind).toBe(at % 2 === 0 ? 'failback-ready' : 'ready-withdrawn');
      }
      const reach = told.flatMap((text) => /check-unknown|sites-reached/.exec(text)?.[0] ?? []);
      for (const [at, kind] of reach.entries()) {
        if (kind === 'sites-reached') expect(reach[at - 1]).toBe('check-unknown');
      }
      ends += turns.length - 1;
    }),
    { numRuns: 500 },
  );
  expect(ends).toBeGreaterThan(100);
});

test('a state of an older version, already READY, is believed without a word', () => {
  const ready: SyncState = {
    ...fresh,
    failbackReady: true,
    consecutiveClean: 5,
    activeSite: 'primary',
  };
  const report = reportOf('clean', 100 * interval, ready);
  const seen = { report, events: [], ready: true };
  const { believed, due } = noteLasting(NOTHING_BELIEVED, seen, limits);
  expect(due).toEqual([]);
  expect(believed).toMatchObject({ ready: 'primary-to-dr', site: 'primary' });
});

test.each([
  [300_000, 60_000, true],
  [299_999, 60_000, false],
  [3_600_000, 59_999, false],
  [3_600_000, null, false],
])('a repair of %d ms with %s ms left is told as long: %s', (ageMs, leftMs, is) => {
  const progress = { leftMs } as Progress;
  expect(isLongRepair({ beganMs: 0, progress }, ageMs)).toBe(is);
});
