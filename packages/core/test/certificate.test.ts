import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  type Certificate,
  type CertificateRecord,
  canonicalJson,
  certificateInForce,
  certificateToRenew,
  EMPTY_STATE,
  formatWindow,
  judgeCertificate,
  type KnownReport,
  makeCertificate,
  makeWindow,
  NOTHING_TALLIED,
  recordsAfter,
  refuseReady,
  repairedSince,
  type SiteObservation,
  type SyncState,
  whyNoCertificate,
  windowToCount,
} from '../src/index.ts';

const stepMs = 300_000;
const nowMs = 1_795_000_200_000;
const horizonMs = Math.floor(nowMs / stepMs) * stepMs - stepMs;
const DAY_MS = 86_400_000;

const observed = (site: 'primary' | 'dr', more: Partial<SiteObservation> = {}) => ({
  healthy: true as const,
  observation: {
    site,
    url: `http://${site}:8428`,
    startedMs: 1_000,
    dedupMs: 60_000,
    retentionMs: 30 * DAY_MS,
    maxBackfillAgeMs: undefined,
    readOnly: false,
    version: 'v1.145.0',
    ...more,
  },
});

const report = (more: Partial<KnownReport> = {}): KnownReport => ({
  outcome: 'clean',
  atMs: nowMs,
  tookMs: 900,
  active: {
    site: 'dr',
    reason: 'the record names dr',
    witnesses: [{ name: 'address', says: 'dr', text: 'the record names dr' }],
    mayWrite: true,
    whyNoWriting: null,
    epoch: 3,
  },
  sites: { primary: observed('primary'), dr: observed('dr') },
  direction: { source: 'dr', destination: 'primary' },
  horizonMs,
  forward: { proven: [], damaged: [] },
  backward: { proven: [], damaged: [] },
  backfills: [],
  tallied: { ...NOTHING_TALLIED, series: 100, sourceSamples: 24_000, destinationSamples: 23_999 },
  leftOut: false,
  history: {
    begunMs: nowMs,
    surveyedFromMs: 0,
    passDone: true,
    complete: true,
    differing: [],
  },
  setAside: [],
  ...more,
});

const mark = {
  sinceMs: horizonMs - DAY_MS,
  throughMs: horizonMs,
  unproven: [],
  earlier: [],
};

const ready: SyncState = {
  ...EMPTY_STATE,
  activeSite: 'dr',
  failbackReady: true,
  consecutiveClean: 3,
  marks: {
    'dr-to-primary': mark,
    'primary-to-dr': { ...mark, unproven: [makeWindow(horizonMs - stepMs, horizonMs)] },
  },
  reasons: [],
};

const facts = {
  id: '20261126-030000-4f2a9c',
  issuedBy: 'dr',
  issuedMs: nowMs,
  validUntilMs: nowMs + 360_000,
  cleanWanted: 3,
  threshold: 0.9,
  settings: {
    selectors: ['{__name__!=""}'],
    queryStepMs: stepMs,
    queryWindowMs: 12 * stepMs,
    settleMs: 180_000,
    syncDirection: 'active-to-passive',
  },
  repaired: { sinceMs: null, byDirection: [] },
  devices: { atMs: nowMs, window: null, table: null, reason: 'nobody looked' },
} as const;

test('a certificate says what is proven in each direction, and what is not', () => {
  const made = makeCertificate(ready, report(), facts);
  const when = formatWindow({ fromMs: mark.sinceMs, toMs: horizonMs });
  expect(made.says).toBe(
    `primary holds what dr has in ${when}: at least 90 % of each series in each bucket (GAP_THRESHOLD), and every sample of what the last check compared`,
  );
  const exact = makeCertificate(ready, report(), { ...facts, threshold: 1 });
  expect(exact.says).toBe(`primary holds every sample that dr has in ${when}`);
  expect(made.proven).toEqual([
    {
      direction: { source: 'dr', destination: 'primary' },
      fromMs: mark.sinceMs,
      throughMs: horizonMs,
      earlier: { listed: [], more: 0 },
      unproven: { listed: [], more: 0 },
      surveyed: false,
    },
    expect.objectContaining({
      direction: { source: 'primary', destination: 'dr' },
      unproven: { listed: [makeWindow(horizonMs - stepMs, horizonMs)], more: 0 },
    }),
  ]);
  expect(made).toMatchObject({
    active: { site: 'dr', epoch: 3 },
    proof: { level: 'prints', threshold: 0.9, toleratedSamples: 0 },
    sites: { primary: { version: 'v1.145.0', dedupMs: 60_000, maxBackfillAgeMs: null } },
    surplus: null,
    differingValues: null,
  });
});

test('what is tolerated, beyond repair or no longer kept is not said to be there', () => {
  const lost = makeWindow(horizonMs - 40 * DAY_MS, horizonMs - 39 * DAY_MS);
  const state: SyncState = {
    ...ready,
    marks: { ...ready.marks, 'dr-to-primary': { ...mark, sinceMs: horizonMs - 90 * DAY_MS } },
    beyondRepair: [
      {
        direction: 'dr-to-primary',
        window: lost,
        reason: 'destination-retention',
        sinceMs: nowMs,
        samplesMissing: 7,
      },
      {
        direction: 'primary-to-dr',
        window: lost,
        reason: 'source-retention',
        sinceMs: nowMs,
        samplesMissing: null,
      },
    ],
  };
  const seen = report({
    tallied: { ...NOTHING_TALLIED, tolerated: 5 },
    sites: { primary: observed('primary', { dedupMs: 0 }), dr: observed('dr') },
  });
  const made = makeCertificate(state, seen, facts);
  expect(made.says).toMatch(
    /and all but 5 samples of what the last check compared; beyond repair: 1 window$/,
  );
  expect(made.beyondRepair.listed).toEqual([
    { window: lost, reason: 'older than primary keeps (-retentionPeriod)', samplesMissing: 7 },
  ]);
  // A day's margin before the end of what both keep.
  expect(made.proven[0]?.fromMs).toBe(nowMs - 29 * DAY_MS);
  expect(made.proof.level).toBe('intervals');
  // A site that does not say how long it keeps has no such end; what is beyond repair is not proven all the same.
  const silent = { retentionMs: undefined, dedupMs: undefined };
  const sites = { primary: observed('primary', silent), dr: observed('dr', silent) };
  const unsaid = makeCertificate(state, report({ sites }), facts);
  expect(unsaid.proven[0]?.fromMs).toBe(lost.toMs);
  expect(unsaid.proof.level).toBe('prints');
});

test.each<[string, SyncState, Partial<KnownReport>, string]>([
  ['READY is not said', { ...ready, failbackReady: false }, {}, 'READY is not said'],
  ['a reason stands against it', { ...ready, reasons: ['a doubt'] }, {}, 'READY is not said'],
  [
    'another site is active',
    { ...ready, activeSite: 'primary' },
    {},
    'dr was compared as the source, and primary is the active site',
  ],
  ['there is no mark', EMPTY_STATE, {}, 'READY is not said'],
  [
    'a window is not proven',
    {
      ...ready,
      marks: {
        ...ready.marks,
        'dr-to-primary': {
          ...mark,
          unproven: [makeWindow(horizonMs - 9 * stepMs, horizonMs - stepMs)],
        },
      },
    },
    {},
    `not all is proven up to ${new Date(horizonMs).toISOString()}`,
  ],
  [
    'no time is proven',
    { ...ready, marks: { ...ready.marks, 'dr-to-primary': { ...mark, sinceMs: horizonMs } } },
    {},
    'no time is proven',
  ],
  [
    'a site was not seen',
    ready,
    { sites: { primary: undefined, dr: observed('dr') } },
    'primary did not say how it is set',
  ],
])('none is made when %s', (_, state, seen, reason) => {
  expect(whyNoCertificate(state, report(seen))).toBe(reason);
});

test('one is made of a whole proof; how much was counted is no part of it', () => {
  expect(whyNoCertificate(ready, report({ tallied: NOTHING_TALLIED }))).toBeUndefined();
});

test('READY that cannot be certified is not told, and withdrawn where it was said before', () => {
  const told = { kind: 'failback-ready', cleanChecks: 3, tolerated: 0, beyondRepair: 0 } as const;
  const step = {
    state: ready,
    events: [{ ...told, direction: { source: 'dr', destination: 'primary' } as const }],
  };
  const first = refuseReady(step, EMPTY_STATE, 'no certificate: Redis is full');
  expect(first.events).toEqual([]);
  expect(first.state).toMatchObject({
    failbackReady: false,
    consecutiveClean: 3,
    reasons: ['no certificate: Redis is full'],
  });
  const later = refuseReady({ ...step, events: [] }, ready, 'no certificate: Redis is full');
  expect(later.events).toEqual([
    { kind: 'ready-withdrawn', reason: 'no certificate: Redis is full' },
  ]);
});

const certificateOf = (id: string, more: Partial<Certificate> = {}): Certificate => ({
  ...makeCertificate(ready, report(), facts),
  id,
  ...more,
});

const issuedAt = (atMs: number, id = `at-${atMs}`) => ({
  certificate: certificateOf(id, { issuedMs: atMs, renewedMs: atMs, validUntilMs: atMs + 100 }),
  sha256: 'x',
  atMs,
});

test('certificates are renewed, withdrawn by a check, expired without one, and replaced', () => {
  const issued = recordsAfter([], issuedAt(1_000, 'a'));
  expect(issued).toMatchObject([{ id: 'a', direction: 'dr-to-primary', ended: null }]);
  const renewed = recordsAfter(issued, issuedAt(1_050, 'a'));
  expect(renewed).toMatchObject([{ id: 'a', validUntilMs: 1_150, ended: null }]);
  const withdrawn = recordsAfter(renewed, { atMs: 1_060, reasons: ['a gap', 'a doubt'] });
  const end = { how: 'withdrawn', atMs: 1_060, reason: 'a gap; a doubt' };
  expect(withdrawn).toMatchObject([{ id: 'a', ended: end }]);
  // Ended once and for all.
  expect(recordsAfter(withdrawn, { atMs: 1_070, reasons: ['more'] })).toEqual(withdrawn);
  const late = recordsAfter(renewed, { atMs: 9_000, reasons: ['a gap'] });
  expect(late[0]?.ended).toMatchObject({ how: 'expired', atMs: 1_150 });
  const replaced = recordsAfter(renewed, issuedAt(1_100, 'b'));
  expect(replaced).toMatchObject([
    { id: 'b', ended: null },
    { id: 'a', ended: { how: 'withdrawn', reason: 'replaced by b' } },
  ]);
  const many = Array.from({ length: 30 }, (_, at) => at).reduce<CertificateRecord[]>(
    (records, at) => recordsAfter(records, issuedAt(at * 10)),
    [],
  );
  expect(many.map(({ id }) => id)).toEqual(
    Array.from({ length: 20 }, (_, at) => `at-${(29 - at) * 10}`),
  );
  expect(recordsAfter([], { atMs: 1, reasons: ['a gap'] })).toEqual([]);
});

test('only the certificate of the check before is renewed', () => {
  const records = recordsAfter([], issuedAt(1_000, 'a'));
  const of = {
    recordsMs: 1_000,
    lastCheckMs: 1_000,
    wasReady: true,
    direction: 'dr-to-primary',
    nowMs: 1_050,
  } as const;
  expect(certificateToRenew(records, of)?.id).toBe('a');
  for (const other of [
    // An old Redis, an older state, a Redis that knows nothing.
    { lastCheckMs: 2_000 },
    { recordsMs: 2_000 },
    { recordsMs: undefined, lastCheckMs: null },
    { wasReady: false },
    { direction: 'primary-to-dr' },
    { nowMs: 1_101 },
  ] as const) {
    expect(certificateToRenew(records, { ...of, ...other }), JSON.stringify(other)).toBeUndefined();
  }
});

const records = fc.record({
  id: fc.constant('a'),
  direction: fc.constantFrom('dr-to-primary', 'primary-to-dr'),
  issuedMs: fc.nat(1_000),
  renewedMs: fc.nat(1_000),
  validUntilMs: fc.nat(1_000),
  sha256: fc.constant('x'),
  ended: fc.option(
    fc.record({
      how: fc.constantFrom('withdrawn', 'expired'),
      atMs: fc.nat(1_000),
      reason: fc.string(),
    }),
  ),
}) satisfies fc.Arbitrary<CertificateRecord>;

test('a certificate is valid exactly when READY is, it has not ended, and its time is not over', () => {
  fc.assert(
    fc.property(fc.option(records), fc.boolean(), fc.nat(1_500), (record, isReady, atMs) => {
      const readiness = { ready: isReady, reasons: isReady ? [] : ['a gap'] };
      const { state } = judgeCertificate(record ?? undefined, readiness, atMs);
      const valid =
        isReady && record !== null && record.ended === null && atMs <= record.validUntilMs;
      expect(state === 'valid').toBe(valid);
      const inForce = certificateInForce(record === null ? [] : [record], atMs);
      if (state === 'valid') expect(inForce).toBeDefined();
      else expect(inForce === undefined || !isReady).toBe(true);
    }),
  );
});

test('whatever checks follow one another, only the newest certificate can be in force, and never after a check without READY', () => {
  const checks = fc.array(fc.record({ isReady: fc.boolean(), laterMs: fc.nat(150) }));
  fc.assert(
    fc.property(checks, (all) => {
      let known: CertificateRecord[] = [];
      let atMs = 1_000;
      for (const { isReady, laterMs } of all) {
        atMs += laterMs;
        known = recordsAfter(known, isReady ? issuedAt(atMs) : { atMs, reasons: ['a gap'] });
        expect(certificateInForce(known, atMs) !== undefined).toBe(isReady);
        expect(known.slice(1).every(({ ended }) => ended !== null)).toBe(true);
      }
    }),
  );
});

test('what was repaired is counted since the last certificate ended, by direction', () => {
  const run = (source: 'dr' | 'primary', settledMs: number | null, samplesCopied: number) => ({
    direction: { source, destination: source === 'dr' ? 'primary' : 'dr' } as const,
    settledMs,
    samplesCopied,
    bytesCopied: 10 * samplesCopied,
  });
  const runs = [run('dr', 200, 5), run('dr', 100, 7), run('dr', 300, 0), run('primary', null, 9)];
  expect(repairedSince(runs, 150).byDirection).toEqual([
    { direction: { source: 'dr', destination: 'primary' }, runs: 1, samples: 5, bytes: 50 },
  ]);
  expect(repairedSince(runs, null).byDirection).toMatchObject([{ runs: 2, samples: 12 }]);
});

test('the canonical text does not depend on the order of keys, and leaves nothing out', () => {
  expect(canonicalJson({ b: [{ d: 1, c: 'ä"' }], a: null, x: undefined })).toBe(
    '{"a":null,"b":[{"c":"ä\\"","d":1}]}',
  );
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      expect(JSON.parse(canonicalJson(value))).toEqual(JSON.parse(JSON.stringify(value)));
    }),
  );
});

test.each([
  ['a small site: a day', 24_000, DAY_MS],
  ['a large one: what is counted within seconds', 6_000_000, 5 * 12 * stepMs],
  ['a huge one: what every check looks at', 600_000_000, 12 * stepMs],
])('how much of the proven time is counted by device: %s', (_, sourceSamples, lengthMs) => {
  const state = {
    ...ready,
    marks: { ...ready.marks, 'dr-to-primary': { ...mark, sinceMs: horizonMs - 9 * DAY_MS } },
  };
  const seen = report({ tallied: { ...NOTHING_TALLIED, sourceSamples } });
  const settings = { queryStepMs: stepMs, queryWindowMs: 12 * stepMs };
  expect(windowToCount(state, seen, settings)).toEqual(makeWindow(horizonMs - lengthMs, horizonMs));
  const young = { ...mark, sinceMs: horizonMs - 2 * stepMs };
  const younger = { ...ready, marks: { ...ready.marks, 'dr-to-primary': young } };
  expect(windowToCount(younger, seen, settings)?.fromMs).toBe(young.sinceMs);
});
