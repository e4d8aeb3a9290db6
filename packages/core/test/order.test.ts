import { expect, test } from 'vitest';
import {
  type DirectionMemory,
  directionFrom,
  judgePin,
  judgeRemembered,
  judgeTestimony,
  NO_DIRECTION,
  type Site,
  type Testimony,
  type Witness,
} from '../src/index.ts';

const nowMs = Date.parse('2026-11-24T12:00:00Z');
const order = { direction: directionFrom('primary'), epoch: 3, recovery: false };
const memory: DirectionMemory = {
  ...NO_DIRECTION,
  site: 'primary',
  epoch: 3,
  sinceMs: nowMs - 60_000,
  confirmed: true,
  whyNoWriting: null,
};
const known = (more: Partial<DirectionMemory>) => ({
  direction: { ...memory, ...more },
  pin: null,
});

test.each([
  ['holds', known({}), undefined],
  ['waits', undefined, 'not remembered until the next check'],
  ['waits', known({ confirmed: false }), 'not confirmed yet'],
  ['waits', known({ whyNoWriting: 'the lease contradicts' }), 'the lease contradicts'],
  [
    'expired',
    known({ epoch: 4, site: 'dr', sinceMs: nowMs }),
    'the direction has changed since it was given (epoch 3 then, 4 now: dr is active since 2026-11-24T12:00:00.000Z)',
  ],
  ['expired', known({ epoch: 5 }), '(epoch 3 then, 5 now: primary is active since'],
  ['expired', known({ epoch: 5, confirmed: false }), '(epoch 3 then, 5 now'],
  ['expired', known({ epoch: 2 }), '(epoch 3 then, 2 now'],
  ['expired', known(NO_DIRECTION), '(epoch 3 then, 0 now: none is known)'],
] as const)('by what is remembered an order %s', (kind, remembered, words) => {
  const judged = judgeRemembered(order, remembered);
  expect(judged.kind).toBe(kind);
  if (judged.kind !== 'holds') expect(judged.why).toContain(words);
});

test('an order of before there were epochs has expired', () => {
  expect(judgeRemembered({ ...order, epoch: 0 }, known({})).kind).toBe('expired');
});

const heard = (site: Site | 'unknown', lease: Witness['says'] | undefined): Testimony => ({
  atMs: nowMs,
  named: { name: 'address', says: site, text: `the record says ${site}` },
  ttlMs: 0,
  lease: lease === undefined ? null : { name: 'lease', says: lease, text: 'TXT' },
});

test.each<[string, Site | 'unknown', Witness['says'] | undefined]>([
  ['holds', 'primary', undefined],
  ['holds', 'primary', null],
  ['holds', 'primary', 'primary'],
  ['waits', 'primary', 'dr'],
  ['waits', 'primary', 'unknown'],
  ['waits', 'unknown', 'primary'],
  ['turned', 'dr', 'dr'],
  ['turned', 'dr', 'primary'],
])('an order %s when the record says %s and the lease %s', (kind, site, lease) => {
  expect(judgeTestimony(order, heard(site, lease)).kind).toBe(kind);
});

test('a pin needs no witnesses, as long as it lasts', () => {
  const pin = { site: 'primary', untilMs: nowMs + 1, atMs: 0 } as const;
  expect(judgePin(order, pin, nowMs)).toEqual({ kind: 'holds' });
  expect(judgePin(order, { ...pin, site: 'dr' }, nowMs)?.kind).toBe('turned');
  expect(judgePin(order, pin, nowMs + 1)).toBeUndefined();
  expect(judgePin(order, null, nowMs)).toBeUndefined();
});

test('a recovery copies to the active site, so it is the destination that must be active', () => {
  const recovery = { direction: directionFrom('dr'), epoch: 3, recovery: true };
  expect(judgeRemembered(recovery, known({})).kind).toBe('holds');
  expect(judgeTestimony(recovery, heard('primary', undefined)).kind).toBe('holds');
  expect(judgeTestimony(recovery, heard('dr', undefined)).kind).toBe('turned');
  const pin = { site: 'dr', untilMs: nowMs + 1, atMs: 0 } as const;
  expect(judgePin(recovery, pin, nowMs)?.kind).toBe('turned');
  expect(judgeRemembered({ ...recovery, recovery: false }, known({})).kind).toBe('expired');
});
