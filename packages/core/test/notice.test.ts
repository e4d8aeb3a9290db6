import { expect, test } from 'vitest';
import {
  directionFrom,
  isLate,
  isSevere,
  makeWindow,
  noticeOf,
  progressOf,
  type SyncEvent,
  type TwinFinding,
  tell,
} from '../src/index.ts';

const direction = directionFrom('dr');
const hour = 3_600_000;
const window = makeWindow(0, 2 * hour);
const backfill = { id: 'b1', direction: 'dr-to-primary', window, match: [] } as const;
const reconcile = { id: 'r1', direction: 'dr-to-primary', samples: 12, tookMs: 5_000 } as const;
const progress = progressOf(
  { beganMs: 0, chunks: 40, samplesPlanned: 4_000_000 },
  Array.from({ length: 10 }, () => ({ atMs: 590_000, planned: 1e5, samples: 1e5, bytes: 9 })),
  600_000,
);
const clocks: TwinFinding = {
  severity: 'fault',
  key: 'clocks',
  subject: 'the clocks',
  text: 'are apart',
  keepsReadyAway: true,
};
const surplus = { direction, samples: 5, series: 2, atLeast: false };

/** One of every kind; the compiler misses none. */
const events: { readonly [K in SyncEvent['kind']]: SyncEvent & { readonly kind: K } } = {
  'gap-detected': {
    kind: 'gap-detected',
    direction,
    gaps: 100,
    samples: 2_000,
    atLeast: true,
    window,
  },
  'repair-under-way': {
    kind: 'repair-under-way',
    direction,
    runId: 'R1',
    sinceMs: 0,
    progress,
    slow: 'dr answers queries in 2.1 s',
  },
  'sync-complete': {
    kind: 'sync-complete',
    direction,
    samples: 2_000,
    tookMs: 250_000,
    remains: [],
  },
  'failback-ready': {
    kind: 'failback-ready',
    direction,
    cleanChecks: 3,
    tolerated: 0,
    beyondRepair: 0,
  },
  'ready-withdrawn': { kind: 'ready-withdrawn', reason: 'because' },
  'direction-changed': { kind: 'direction-changed', from: 'primary', to: 'dr', reason: 'DNS' },
  'direction-confirmed': { kind: 'direction-confirmed', direction, epoch: 2, reason: 'DNS' },
  pinned: { kind: 'pinned', site: 'dr', untilMs: hour },
  unpinned: { kind: 'unpinned', site: 'dr' },
  'pin-ended': { kind: 'pin-ended', site: 'dr', untilMs: hour },
  'check-unknown': { kind: 'check-unknown', reason: 'Remote VM unhealthy: URL', siteFailed: true },
  'sites-reached': { kind: 'sites-reached', tookMs: 250_000 },
  'mark-started': { kind: 'mark-started', sinceMs: 0 },
  'repairs-reopened': { kind: 'repairs-reopened', site: 'dr', windows: 2 },
  'twins-differ': { kind: 'twins-differ', finding: clocks },
  'identity-doubted': { kind: 'identity-doubted', reason: 'the URLs are swapped' },
  'site-emptied': { kind: 'site-emptied', site: 'dr', sinceMs: 0 },
  'duty-taken': { kind: 'duty-taken', site: 'dr', reason: 'primary is silent', over: true },
  'duty-left': { kind: 'duty-left', site: 'dr', reason: 'primary repairs' },
  'repairs-stopped': { kind: 'repairs-stopped', reason: 'dr is read-only' },
  'repairs-go-on': { kind: 'repairs-go-on', reason: null },
  'beyond-repair': {
    kind: 'beyond-repair',
    direction,
    reason: 'destination-retention',
    windows: [window],
    followsToMs: 3 * hour,
  },
  'gap-stuck': {
    kind: 'gap-stuck',
    direction,
    chunks: 2,
    samples: 10,
    window,
    sinceMs: 0,
    reason: null,
  },
  'run-cancelled': { kind: 'run-cancelled', id: 'run-1', direction, who: 'anna' },
  'gap-acknowledged': { kind: 'gap-acknowledged', gaps: 1, samples: 10, who: 'anna' },
  'backfill-started': { kind: 'backfill-started', ...backfill },
  'backfill-paused': { kind: 'backfill-paused', ...backfill },
  'backfill-resumed': { kind: 'backfill-resumed', ...backfill },
  'backfill-cancelled': { kind: 'backfill-cancelled', ...backfill },
  'backfill-given-up': { kind: 'backfill-given-up', ...backfill },
  'backfill-refused': { kind: 'backfill-refused', id: 'b1', reason: 'because' },
  'surplus-found': { kind: 'surplus-found', ...surplus, recovering: false },
  'surplus-gone': { kind: 'surplus-gone', direction },
  'values-differ': {
    kind: 'values-differ',
    total: { samples: 3, series: 1, atLeast: false, example: null },
  },
  'reconcile-started': { kind: 'reconcile-started', ...reconcile },
  'reconcile-cancelled': { kind: 'reconcile-cancelled', ...reconcile },
  'reconcile-complete': { kind: 'reconcile-complete', ...reconcile },
  'backfill-complete': {
    kind: 'backfill-complete',
    id: 'b1',
    window,
    samples: 12,
    tookMs: 5_000,
  },
};

test('every event has a sentence, and one that says what to do', () => {
  const told = Object.values(events).map((event) => {
    const { kind, severity, text, todo } = noticeOf(event, 0);
    const { notify } = tell(event);
    const sent = notify === true ? 'sent' : notify === false ? 'logged' : 'sent when it lasts';
    return `${kind} (${severity}, ${sent})\n  ${text}\n  ${todo}`;
  });
  expect(told.join('\n')).toMatchInlineSnapshot(`
    "gap-detected (warn, sent)
      ⚠️ VM-Sync: 100 data gaps detected (at least 2,000 samples missing on primary, dr → primary, in 1970-01-01T00:00:00Z – 02:00:00Z)
      Nothing: it is repaired by itself. When no "Sync complete" follows, look at the failed chunks on the board (/queues).
    repair-under-way (info, sent)
      ⏳ VM-Sync: Repair under way: dr → primary, 10 of 40 chunks, 25 %, 3m left (3 M samples left at 17 k/s over the last 1m), since 1970-01-01T00:00:00.000Z, run R1; slower because dr answers queries in 2.1 s
      Nothing: wait. More workers make it faster while the databases are calm.
    sync-complete (info, sent)
      ✅ VM-Sync: Sync complete (2,000 samples repaired, dr → primary, in 4m 10s; nothing remains)
      Nothing: FAILBACK READY follows after enough clean checks.
    failback-ready (info, sent)
      🟢 VM-Sync: FAILBACK READY (3 clean checks in a row, primary holds everything that dr has)
      Fail back to primary when you like; ask once more just before: vm-sync ready --site primary
    ready-withdrawn (warn, sent when it lasts)
      🔴 VM-Sync: READY WITHDRAWN (because)
      Do not fail back until FAILBACK READY is told again; vm-sync status says what it waits for.
    direction-changed (warn, sent when it lasts)
      🔀 VM-Sync: Direction changed: active site primary → dr (DNS)
      Nothing when this is meant. Otherwise mend DNS or ACTIVE_SITE, or pin the right site: vm-sync pin primary --for 2h
    direction-confirmed (info, logged)
      Direction dr → primary is confirmed (epoch 2, DNS): repairs may begin
      Nothing.
    pinned (warn, sent)
      📌 VM-Sync: Direction pinned: dr is the active site by hand until 1970-01-01T01:00:00.000Z, whatever DNS says; vm-sync unpin ends it
      Nothing.
    unpinned (info, sent)
      📌 VM-Sync: Pin removed: dr was pinned by hand; the direction follows DNS or ACTIVE_SITE again
      Nothing.
    pin-ended (warn, sent)
      📌 VM-Sync: Pin ended: dr was pinned by hand until 1970-01-01T01:00:00.000Z; the direction follows DNS or ACTIVE_SITE again
      Nothing when DNS or ACTIVE_SITE is right again. Otherwise: vm-sync pin dr --for 2h
    check-unknown (warn, sent when it lasts)
      🔌 VM-Sync: Check unknown: Remote VM unhealthy: URL
      See whether that VictoriaMetrics runs and can be reached from here: vm-sync doctor. What is missed meanwhile is repaired afterwards.
    sites-reached (info, sent)
      🔌 VM-Sync: Both sites can be asked again (after 4m 10s)
      Nothing.
    mark-started (warn, logged)
      No verified-through mark found: proof begins at 1970-01-01T00:00:00.000Z; what is older has not been proven
      Nothing; vm-sync backfill --from … --to … proves older time.
    repairs-reopened (warn, logged)
      dr restarted: 2 recently repaired windows are checked again
      Nothing.
    twins-differ (error, sent)
      ⚠️ VM-Sync: the clocks are apart
      Mend it: vm-sync doctor shows all settings that differ, the runbook has the flags.
    identity-doubted (error, sent)
      🛑 VM-Sync: Nothing is written: the URLs are swapped
      Mend the URL or ROLE. When it is the right database all the same: vm-sync accept --site primary (or dr).
    site-emptied (warn, sent)
      ⚠️ VM-Sync: dr was emptied: it holds nothing from before 1970-01-01T00:00:00.000Z and carries no marker; it is marked anew and filled
      Nothing when dr has a new disk on purpose. Otherwise: vm-sync pause, and look at dr.
    duty-taken (warn, sent)
      ⚠️ VM-Sync: dr's vm-sync repairs: primary is silent
      Look at the other site's vm-sync: it is silent.
    duty-left (info, logged)
      dr's vm-sync watches: primary repairs
      Nothing.
    repairs-stopped (error, sent)
      🛑 VM-Sync: Repairs stopped: dr is read-only
      Mend what the sentence names; repairs go on by themselves then.
    repairs-go-on (info, logged)
      Repairs go on
      Nothing.
    beyond-repair (warn, sent)
      ⚠️ VM-Sync: Beyond repair: 1970-01-01T00:00:00Z – 02:00:00Z was not proven (dr → primary) and is older than primary keeps (-retentionPeriod); what is not proven from there to 1970-01-01T03:00:00.000Z goes the same way as it ages; READY does not wait for it
      Hurry: see why the rest is not repaired (vm-sync status), or raise the flag that is named.
    gap-stuck (warn, sent)
      ⚠️ VM-Sync: Gap stuck: primary lacks 10 samples in 2 chunks, 1970-01-01T00:00:00Z – 02:00:00Z (dr → primary), as before the repair of 1970-01-01T00:00:00.000Z, which was read back as complete; look at primary's log and at what stands before it; repaired again when primary restarts, when the gap changes, after a day, or by vm-sync backfill --from 1970-01-01T00:00:00.000Z --to 1970-01-01T02:00:00.000Z
      Look at primary's log, its disk and what stands before it; then restart it, or run the command that is named.
    run-cancelled (warn, logged)
      Run run-1 (dr → primary) cancelled by anna: what it has not copied is still missing
      Nothing when that was meant: the next check finds what is missing, and repairs it unless repairs are paused.
    gap-acknowledged (info, logged)
      1 stuck gap acknowledged by anna (10 samples): READY stays withheld
      Nothing more is told of it; see why it is stuck all the same: READY waits for it.
    backfill-started (info, logged)
      Backfill b1 started: dr → primary, 1970-01-01T00:00:00Z – 02:00:00Z
      Nothing; vm-sync backfill list shows how far it is.
    backfill-paused (info, logged)
      Backfill b1 paused: dr → primary, 1970-01-01T00:00:00Z – 02:00:00Z
      To go on: vm-sync backfill resume b1
    backfill-resumed (info, logged)
      Backfill b1 resumed: dr → primary, 1970-01-01T00:00:00Z – 02:00:00Z
      Nothing.
    backfill-cancelled (info, logged)
      Backfill b1 cancelled: dr → primary, 1970-01-01T00:00:00Z – 02:00:00Z
      Nothing.
    backfill-given-up (warn, logged)
      Backfill b1 given up, it is older than what both sites keep: dr → primary, 1970-01-01T00:00:00Z – 02:00:00Z
      Nothing can be done about that time any more.
    backfill-refused (warn, logged)
      Backfill b1 cancelled, a database refuses to look at it: because
      Mend its --match, then ask for it again.
    surplus-found (warn, logged)
      Only on dr: the passive site has 5 samples that the active one lacks (vm-sync reconcile); 2 series, dr → primary
      Nothing when they are not wanted. To copy them to the active site: vm-sync reconcile
    surplus-gone (info, logged)
      primary holds everything that dr has (again)
      Nothing.
    values-differ (warn, logged)
      Values differ: the sites hold different values for 3 samples of 1 series; no repair changes that: a database keeps one of two values by its own rule
      Look at who writes the series that is named; vm-sync changes no value.
    reconcile-started (info, logged)
      Reconcile r1 (dr → primary) started
      Nothing.
    reconcile-cancelled (info, logged)
      Reconcile r1 (dr → primary) cancelled: 12 samples recovered in 5s
      Nothing.
    reconcile-complete (info, logged)
      Reconcile r1 (dr → primary) complete: 12 samples recovered in 5s
      Nothing.
    backfill-complete (info, logged)
      Backfill b1 complete: 1970-01-01T00:00:00Z – 02:00:00Z is proven, 12 samples repaired in 5s
      Nothing."
  `);
});

test('programs get the fields of the event', () => {
  expect(noticeOf(events['gap-detected'], 7)).toEqual({
    kind: 'gap-detected',
    severity: 'warn',
    text: expect.stringMatching(/^⚠️ VM-Sync: 100 data gaps detected/),
    todo: expect.stringMatching(/^Nothing: /),
    atMs: 7,
    details: { direction, gaps: 100, samples: 2_000, atLeast: true, window },
  });
});

test.each([
  [
    { ...events['failback-ready'], direction: directionFrom('primary') },
    /^Nothing: dr may take over/,
  ],
  [
    { ...events['sync-complete'], remains: ['5 samples within GAP_THRESHOLD'] },
    /^See what remains/,
  ],
  [{ ...events['direction-changed'], to: 'unknown' }, /^Mend DNS so that it names one/],
  [{ ...events['check-unknown'], siteFailed: false }, /^Mend what the sentence names/],
  [{ ...events['gap-stuck'], reason: 'N samples are not there' }, /retry the failed chunks/],
  [{ ...events['beyond-repair'], followsToMs: null }, /^Nothing can be done/],
  [{ ...events['duty-taken'], over: false }, /^Nothing\.$/],
  [{ ...events['surplus-found'], recovering: true }, /^Nothing: they are copied/],
] as const)('what to do depends on what happened (%#)', (event, todo) => {
  expect(noticeOf(event, 0).todo).toMatch(todo);
});

test('a gap is told with what lacks most', () => {
  const gap = { kind: 'gap-detected', direction, gaps: 1, samples: 5 } as const;
  expect(tell({ ...gap, about: 'instance bigip-08 and 6 more' }).text).toBe(
    '⚠️ VM-Sync: 1 data gap detected (5 samples missing on primary, dr → primary; instance bigip-08 and 6 more)',
  );
  expect(tell({ ...gap, about: '' }).text).toMatch(/dr → primary\)$/);
});

test('what remains is said when a repair is complete', () => {
  const complete = (remains: readonly string[] | undefined) =>
    tell({ ...events['sync-complete'], remains }).text;
  expect(complete(undefined)).toMatch(/in 4m 10s\)$/);
  expect(complete([])).toMatch(/in 4m 10s; nothing remains\)$/);
  expect(complete(['a', 'b'])).toMatch(/in 4m 10s; what remains: a; b\)$/);
});

test('one is one, and what is not known is left out', () => {
  expect(tell({ kind: 'gap-detected', direction, gaps: 1, samples: 1_234 }).text).toBe(
    '⚠️ VM-Sync: 1 data gap detected (1,234 samples missing on primary, dr → primary)',
  );
  expect(tell({ kind: 'repairs-reopened', site: 'dr', windows: 1 }).text).toMatch(
    /1 recently repaired window is checked again$/,
  );
});

test('of a check that found nothing out people are told only when a site could not be asked', () => {
  expect(tell({ kind: 'check-unknown', reason: 'x', siteFailed: false })).toMatchObject({
    text: 'Check unknown: x',
    notify: false,
  });
});

test.each([
  ['info', 'info', true],
  ['info', 'warn', false],
  ['warn', 'warn', true],
  ['warn', 'error', false],
  ['error', 'warn', true],
] as const)('%s for who wants %s and above: %s', (severity, least, is) => {
  expect(isSevere(severity, least)).toBe(is);
});

test('a message is late after an hour', () => {
  expect([isLate({ atMs: 0 }, hour - 1), isLate({ atMs: 0 }, hour)]).toEqual([false, true]);
});
