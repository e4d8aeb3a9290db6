import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  type ActiveSite,
  confirmableMs,
  type DirectionMemory,
  directionDoubts,
  judgeDirection,
  NO_DIRECTION,
  type Site,
  type Testimony,
  type Witness,
  withFreshness,
} from '../src/index.ts';

const second = 1_000;
const startMs = Date.parse('2026-11-24T00:00:00Z');
const ttlMs = 30 * second;

const says = (
  site: Site | 'unknown',
  atS: number,
  more: { ttlMs?: number; lease?: Witness; by?: 'address' | 'setting' } = {},
): Testimony => ({
  atMs: startMs + atS * second,
  named: { name: more.by ?? 'address', says: site, text: `it is ${site}` },
  ttlMs: more.ttlMs ?? ttlMs,
  lease: more.lease ?? null,
});

/** Looks one after another, without a pin. */
function look(...answers: Testimony[]) {
  let memory: DirectionMemory = NO_DIRECTION;
  let last: ReturnType<typeof judgeDirection> | undefined;
  for (const answer of answers) {
    last = judgeDirection(memory, answer, null);
    ({ memory } = last);
  }
  return last as NonNullable<typeof last>;
}

test('the first direction counts for reading at once, for writing after a second answer a TTL later', () => {
  const first = look(says('primary', 0));
  expect(first.active).toMatchObject({ site: 'primary', mayWrite: false, epoch: 1 });
  expect(first.active.whyNoWriting).toBe(
    'nothing is written primary → dr yet: primary was first seen as the active site at 2026-11-24T00:00:00.000Z; the same answer at least 30s later confirms it',
  );
  expect(confirmableMs(first.memory)).toBe(startMs + ttlMs);
  const early = look(says('primary', 0), says('primary', 29));
  expect(early).toMatchObject({ confirmedNow: false, active: { mayWrite: false } });
  const late = look(says('primary', 0), says('primary', 29), says('primary', 30));
  expect(late).toMatchObject({ confirmedNow: true, active: { mayWrite: true, epoch: 1 } });
  expect(late.memory.whyNoWriting).toBeNull();
  expect(confirmableMs(late.memory)).toBeNull();
  const again = judgeDirection(late.memory, says('primary', 31), null);
  expect(again).toMatchObject({ confirmedNow: false, active: { mayWrite: true } });
});

test('a change begins anew, also back again', () => {
  const there = look(says('primary', 0), says('primary', 60), says('dr', 61));
  expect(there.active).toMatchObject({ site: 'dr', mayWrite: false, epoch: 2 });
  const back = judgeDirection(there.memory, says('primary', 62), null);
  expect(back.active).toMatchObject({ site: 'primary', mayWrite: false, epoch: 3 });
  const later = judgeDirection(back.memory, says('primary', 92), null);
  expect(later.active).toMatchObject({ mayWrite: true, epoch: 3 });
});

test('unknown neither confirms nor changes; what was confirmed stays so', () => {
  const gone = look(says('primary', 0), says('primary', 60), says('unknown', 61));
  expect(gone.active).toMatchObject({ site: 'unknown', mayWrite: false, epoch: 1 });
  expect(gone.active.whyNoWriting).toBe(
    'nothing is written while it is unknown which site is active: it is unknown',
  );
  const back = judgeDirection(gone.memory, says('primary', 62), null);
  expect(back).toMatchObject({ confirmedNow: false, active: { mayWrite: true, epoch: 1 } });
});

test('unknown while confirmation is waited for begins the waiting anew', () => {
  const answers = [says('primary', 0), says('unknown', 20), says('primary', 40)];
  expect(look(...answers).active).toMatchObject({ mayWrite: false, epoch: 1 });
  expect(look(...answers, says('primary', 69)).active.mayWrite).toBe(false);
  expect(look(...answers, says('primary', 70)).active.mayWrite).toBe(true);
});

test.each([
  [0, 1],
  [999, 1],
  [30_000, 30],
  [86_400_000, 600],
])('a TTL of %i ms is waited for %i s', (ttlMs, waitS) => {
  const first = says('dr', 0, { ttlMs });
  expect(look(first, says('dr', waitS - 0.1)).active.mayWrite).toBe(false);
  expect(look(first, says('dr', waitS)).active.mayWrite).toBe(true);
});

test('a clock that was set back does not keep writing away for long', () => {
  const answers = [says('dr', 3_600), says('dr', 0)];
  expect(look(...answers).active.mayWrite).toBe(false);
  expect(look(...answers, says('dr', 30)).active.mayWrite).toBe(true);
});

test('ACTIVE_SITE and a pin are confirmed at once; a pin outranks both, and the lease, while it lasts', () => {
  const set = look(says('dr', 0, { by: 'setting' }));
  expect(set).toMatchObject({ confirmedNow: false, active: { mayWrite: true, epoch: 1 } });
  const pin = { site: 'primary', untilMs: startMs + 100 * second, atMs: startMs } as const;
  const lease: Witness = { name: 'lease', says: 'dr', text: 'owner=dr' };
  const pinned = judgeDirection(set.memory, says('dr', 99, { lease }), pin);
  expect(pinned.active).toMatchObject({ site: 'primary', mayWrite: true, epoch: 2 });
  expect(pinned.active.reason).toBe(
    'pinned by hand to the primary site until 2026-11-24T00:01:40.000Z (vm-sync unpin ends it)',
  );
  expect(pinned.active.witnesses.map(({ name }) => name)).toEqual(['pin', 'address', 'lease']);
  const after = judgeDirection(pinned.memory, says('dr', 100), pin);
  expect(after.active).toMatchObject({ site: 'dr', mayWrite: false, epoch: 3 });
});

const confirmed = look(says('primary', 0), says('primary', 60)).memory;

test.each<[Witness['says'], boolean]>([
  ['primary', true],
  ['dr', false],
  ['unknown', false],
  [null, true],
])('a lease that says %s beside an address of primary: writing %s', (owner, mayWrite) => {
  const lease: Witness = { name: 'lease', says: owner, text: 'TXT of vm.example: so' };
  const { active, memory } = judgeDirection(confirmed, says('primary', 61, { lease }), null);
  expect(active).toMatchObject({ site: 'primary', mayWrite, epoch: 1 });
  expect(memory.confirmed).toBe(true);
  if (!mayWrite) {
    expect(active.whyNoWriting).toMatch(
      /^nothing is written because the lease (contradicts the address|cannot be read) \(it is primary; TXT of vm\.example: so\): mend one of them, pin the direction/,
    );
  }
});

test('fresher data on the passive site withholds READY, and stops no writing', () => {
  const { active } = judgeDirection(confirmed, says('primary', 61), null);
  const with_ = (says: Witness['says']): ActiveSite =>
    withFreshness(active, { name: 'freshness', says, text: 'newest sample' });
  expect(directionDoubts(with_('dr'))).toEqual([
    'dr receives newer data than primary, the active site (newest sample): is the direction right, and does the collector write to primary?',
  ]);
  expect(with_('dr').mayWrite).toBe(true);
  for (const says of ['primary', 'unknown', null] as const) {
    expect(directionDoubts(with_(says))).toEqual([]);
  }
});

test('what forbids writing forbids READY', () => {
  const { active } = look(says('primary', 0));
  expect(directionDoubts(active)).toEqual([active.whyNoWriting]);
});

const history = fc.array(
  fc.record({
    site: fc.constantFrom<Site | 'unknown'>('primary', 'primary', 'primary', 'dr', 'unknown'),
    afterMs: fc.constantFrom(0, 300, 1_000, 15_000, 30_000, 700_000),
    ttlMs: fc.constantFrom(0, 5_000, 30_000, 3_600_000),
  }),
  { minLength: 1, maxLength: 40 },
);

test('whatever the answers: epochs follow known sites, and writing follows two equal answers a TTL apart', () => {
  fc.assert(
    fc.property(history, (answers) => {
      let memory: DirectionMemory = NO_DIRECTION;
      let known: Site | null = null;
      let epoch = 0;
      /** Of the equal answers up to now with nothing else between. */
      let first: { atMs: number; ttlMs: number } | null = null;
      let proven = false;
      let atMs = startMs;
      for (const { site, afterMs, ttlMs } of answers) {
        atMs += afterMs;
        const testimony: Testimony = {
          atMs,
          named: { name: 'address', says: site, text: site },
          ttlMs,
          lease: null,
        };
        const judged = judgeDirection(memory, testimony, null);
        const before = proven;
        if (site === 'unknown') first = null;
        else if (site !== known) {
          known = site;
          epoch += 1;
          proven = false;
          first = { atMs, ttlMs };
        } else if (first === null) first = { atMs, ttlMs };
        else if (atMs - first.atMs >= Math.min(Math.max(first.ttlMs, 1_000), 600_000))
          proven = true;
        const mayWrite = site !== 'unknown' && proven;
        expect(judged.active).toMatchObject({ site, mayWrite, epoch });
        expect(judged.active.whyNoWriting === null).toBe(mayWrite);
        expect(judged.confirmedNow).toBe(
          proven && (!before || judged.memory.epoch !== memory.epoch),
        );
        expect(judged.memory).toMatchObject({ site: known, epoch, confirmed: proven });
        ({ memory } = judged);
      }
    }),
    { numRuns: 500 },
  );
});
