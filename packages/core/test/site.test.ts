import { describe, expect, test } from 'vitest';
import {
  activeSiteFromDns,
  directionFrom,
  directionKey,
  formatDirection,
  otherSite,
  reverse,
  SITES,
  sameAddress,
} from '../src/index.ts';

const addressOf = { primary: '192.0.2.1', dr: '192.0.2.2' };
const ask = (...addresses: string[]) =>
  activeSiteFromDns('vm.example', { kind: 'addresses', addresses }, addressOf);

test.each<[string[], 'primary' | 'dr' | 'unknown', string]>([
  [['192.0.2.1'], 'primary', 'DNS record vm.example answers 192.0.2.1, the primary site'],
  [['192.0.2.2'], 'dr', 'DNS record vm.example answers 192.0.2.2, the dr site'],
  [['192.0.2.2', '192.0.2.2'], 'dr', 'the dr site'],
  [['192.0.2.1', '192.0.2.2'], 'unknown', 'both sites at once'],
  [['192.0.2.9'], 'unknown', '192.0.2.9 belongs to neither site'],
  [['192.0.2.1', '192.0.2.9'], 'unknown', '192.0.2.9 belongs to neither site'],
  [['192.0.2.10'], 'unknown', 'belongs to neither site'],
  [[], 'unknown', 'answers no address'],
  [Array(900).fill('192.0.2.1'), 'primary', '192.0.2.1 and 896 more, the primary site'],
])('the answer %j means %s', (addresses, site, words) => {
  const active = ask(...addresses);
  expect(active.site).toBe(site);
  expect(active.reason).toContain(words);
});

test('a look-up that failed means nothing', () => {
  expect(
    activeSiteFromDns('vm.example', { kind: 'failed', reason: 'no answer' }, addressOf),
  ).toEqual({
    site: 'unknown',
    reason: 'DNS record vm.example: no answer',
  });
});

test('IPv6 addresses are compared, not their spellings', () => {
  const six = { primary: '2001:DB8:0:0::1', dr: '2001:db8::2' };
  const active = activeSiteFromDns('v', { kind: 'addresses', addresses: ['2001:db8::1'] }, six);
  expect(active.site).toBe('primary');
});

describe.each([
  ['2001:db8::1', '2001:0db8:0000:0000:0000:0000:0000:0001', true],
  ['::1', '0:0:0:0:0:0:0:1', true],
  ['::', '0::0', true],
  ['2001:db8::', '2001:db8:0::', true],
  ['fe80::A', 'FE80::a', true],
  ['::ffff:192.0.2.1', '::ffff:c000:201', true],
  ['::ffff:192.0.2.1', '::ffff:192.0.2.2', false],
  ['2001:db8::1', '2001:db8::2', false],
  ['1::', '::1', false],
  ['192.0.2.1', '192.0.2.1', true],
  ['192.0.2.1', '192.0.2.11', false],
])('%s and %s', (a, b, same) => {
  test(same ? 'are the same' : 'differ', () => {
    expect(sameAddress(a, b)).toBe(same);
    expect(sameAddress(b, a)).toBe(same);
  });
});

test('directions', () => {
  for (const site of SITES) {
    const direction = directionFrom(site);
    expect(direction).toEqual({ source: site, destination: otherSite(site) });
    expect(reverse(reverse(direction))).toEqual(direction);
    expect(directionKey(direction)).toBe(`${site}-to-${otherSite(site)}`);
    expect(formatDirection(direction)).toBe(`${site} → ${otherSite(site)}`);
  }
});
