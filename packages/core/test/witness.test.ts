import { expect, test } from 'vitest';
import {
  freshnessWitness,
  leaseWitness,
  type NewestSample,
  type TxtAnswer,
  type Witness,
} from '../src/index.ts';

const nowMs = Date.parse('2026-11-24T12:00:00Z');
const exp = (offsetS: number): number => nowMs / 1000 + offsetS;
const texts = (...all: string[]): TxtAnswer => ({ kind: 'texts', texts: all });

test.each<[string, TxtAnswer, Witness['says'], string]>([
  [
    'held',
    texts(`owner=primary exp=${exp(60)}`),
    'primary',
    'owner=primary, valid until 2026-11-24T12:01:00.000Z',
  ],
  [
    'expired',
    texts(`owner=dr exp=${exp(-60)}`),
    'dr',
    'owner=dr, expired at 2026-11-24T11:59:00.000Z',
  ],
  ['quoted by a provider', texts(`"owner=dr exp=${exp(60)}"`), 'dr', 'owner=dr, valid until'],
  ['written loudly', texts(`OWNER=DR EXP=${exp(60)}`), 'dr', 'owner=dr, valid until'],
  ['the other way round', texts(`exp=${exp(60)} owner=dr`), 'dr', 'owner=dr, valid until'],
  ['without an expiry', texts('owner=dr'), 'dr', 'owner=dr, without an expiry'],
  [
    'with a strange expiry',
    texts('owner=dr exp=99999999999999'),
    'dr',
    'owner=dr, without an expiry',
  ],
  ['among others', texts('v=spf1 -all', `owner=dr exp=${exp(60)}`), 'dr', 'owner=dr, valid until'],
  ['told twice', texts(`owner=dr exp=${exp(-60)}`, `owner=dr exp=${exp(60)}`), 'dr', 'valid until'],
  [
    'of both',
    texts(`owner=dr exp=${exp(60)}`, `owner=primary exp=${exp(-60)}`),
    'unknown',
    'leases of both sites at once',
  ],
  ['of somebody else', texts('owner=backup exp=1'), null, 'no lease'],
  ['of somebody whose name begins so', texts('owner=drone exp=1', 'co-owner=dr'), null, 'no lease'],
  ['no lease at all', texts('google-site-verification=x', ''), null, 'no lease'],
  ['no text', { kind: 'none', reason: 'has no TXT' }, null, 'no lease (has no TXT)'],
  ['not known', { kind: 'failed', reason: 'no answer in time' }, 'unknown', 'no answer in time'],
])('a lease that is %s', (_, answer, says, words) => {
  const witness = leaseWitness('vm.example', answer, nowMs);
  expect(witness).toMatchObject({ name: 'lease', says });
  expect(witness.text).toContain(`TXT of vm.example: `);
  expect(witness.text).toContain(words);
});

const look = { fromMs: nowMs - 3_600_000, toMs: nowMs, toleranceMs: 300_000 };
const ago = (s: number): number => nowMs - s * 1000;

test.each<[string, NewestSample, NewestSample, Witness['says']]>([
  ['both are equal', ago(20), ago(20), null],
  ['both are silent', null, null, null],
  ['they differ by as much as is in flight', ago(320), ago(20), null],
  ['they differ the other way by as much', ago(20), ago(320), null],
  ['primary lags', ago(321), ago(20), 'dr'],
  ['dr lags', ago(20), ago(321), 'primary'],
  ['primary is silent', null, ago(20), 'dr'],
  ['dr is silent', ago(20), null, 'primary'],
  ['one is silent, the other nearly so', null, ago(3_400), null],
  ['one does not say', { failed: 'no answer' }, ago(20), 'unknown'],
])('freshness when %s', (_, primary, dr, says) => {
  const witness = freshnessWitness({ primary, dr }, look);
  expect(witness).toMatchObject({ name: 'freshness', says });
});

test('freshness says what a person can check', () => {
  expect(freshnessWitness({ primary: ago(600), dr: null }, look).text).toBe(
    'newest sample: primary 2026-11-24T11:50:00.000Z, dr none in 1h',
  );
  expect(freshnessWitness({ primary: null, dr: null }, look).text).toBe(
    'neither site has samples of the last 1h',
  );
});
