import { type DnsRecord, type DnsServer, freePort, startDns } from '@vm-sync/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type ActiveConfig, hearWitnesses } from '../src/index.ts';
import { startRefusingDns } from './refusing-dns.ts';

const nowS = Math.floor(Date.now() / 1000);

const records: DnsRecord[] = [
  { name: 'primary.example', addresses: ['192.0.2.1'] },
  { name: 'dr.example', addresses: ['192.0.2.2'] },
  { name: 'both.example', addresses: ['192.0.2.1'] },
  { name: 'both.example', addresses: ['192.0.2.2'] },
  { name: 'stranger.example', addresses: ['198.51.100.7'] },
  { name: 'six.example', addresses: ['2001:db8::2'] },
  { name: 'mixed.example', addresses: ['192.0.2.1', '2001:db8::1'] },
  { name: 'stranger6.example', addresses: ['192.0.2.1', '2001:db8::9'] },
  { name: 'text.example', txt: 'no address' },
  { name: 'alias.example', cname: 'middle.example' },
  { name: 'middle.example', cname: 'dr.example' },
  { name: 'long.example', addresses: ['192.0.2.1'], ttl: 30 },
  { name: 'mixed-ttl.example', addresses: ['192.0.2.1'], ttl: 30 },
  { name: 'mixed-ttl.example', addresses: ['2001:db8::1'], ttl: 20 },
  { name: 'short-alias.example', cname: 'long.example', ttl: 5 },
  { name: 'long-alias.example', cname: 'long.example', ttl: 90 },
  { name: 'split.example', addresses: ['192.0.2.1', '2001:db8::2'] },
  { name: 'vm.lease.example', txt: ['v=spf1 -all', `owner=dr exp=${nowS + 600}`] },
  { name: 'alias.lease.example', cname: 'vm.lease.example' },
  { name: 'expired.lease.example', txt: `owner=dr exp=${nowS - 600}` },
  { name: 'other.lease.example', txt: 'owner=somebody exp=1' },
  { name: 'both.lease.example', txt: ['owner=dr exp=1', 'owner=primary exp=2'] },
];

let dns: DnsServer;
beforeAll(async () => {
  dns = await startDns(records);
});
afterAll(() => dns.stop());

const four = { primary: '192.0.2.1', dr: '192.0.2.2' };
const six = { primary: '2001:db8:0::1', dr: '2001:DB8::2' };
const named = async (active: ActiveConfig) => {
  const { says, text } = (await hearWitnesses(active)).named;
  return { site: says, reason: text };
};
const ask = (record: string, addressOf = four, server = dns.server) =>
  named({ by: 'dns', record, server, addressOf, leaseRecord: undefined });

test.each([
  ['primary.example', four, 'primary', 'answers 192.0.2.1, the primary site'],
  ['dr.example', four, 'dr', 'answers 192.0.2.2, the dr site'],
  ['alias.example', four, 'dr', 'DNS record alias.example answers 192.0.2.2, the dr site'],
  ['both.example', four, 'unknown', 'both sites at once'],
  ['stranger.example', four, 'unknown', '198.51.100.7 belongs to neither site'],
  ['stranger6.example', four, 'unknown', '2001:db8::9 belongs to neither site'],
  ['six.example', six, 'dr', 'the dr site'],
  ['mixed.example', four, 'unknown', '2001:db8::1 belongs to neither site'],
  ['nobody.example', four, 'unknown', 'does not exist (NXDOMAIN)'],
  ['text.example', four, 'unknown', 'has no address'],
])('%s', async (record, addressOf, site, words) => {
  const active = await ask(record, addressOf);
  expect(active.site).toBe(site);
  expect(active.reason).toContain(words);
  expect(active.reason).toContain(`DNS record ${record}`);
});

test.each([
  ['long.example', 30_000],
  ['mixed-ttl.example', 20_000],
  ['short-alias.example', 5_000],
  ['long-alias.example', 30_000],
  ['nobody.example', 0],
])('%s may be kept for %i ms', async (record, ttlMs) => {
  const addressOf = { primary: '192.0.2.1', dr: '2001:db8::2' };
  const active = { by: 'dns', record, server: dns.server, addressOf } as const;
  expect(await hearWitnesses({ ...active, leaseRecord: undefined })).toMatchObject({
    ttlMs,
    lease: null,
  });
});

test('two families that name different sites are no direction', async () => {
  const active = await ask('split.example', { primary: '192.0.2.1', dr: '2001:db8::2' });
  expect(active.site).toBe('unknown');
  expect(active.reason).toContain('both sites at once');
});

test.each([
  ['vm.lease.example', 'dr', /^TXT of vm\.lease\.example: owner=dr, valid until /],
  ['expired.lease.example', 'dr', /owner=dr, expired at /],
  ['alias.lease.example', 'dr', /^TXT of alias\.lease\.example: owner=dr, valid until /],
  ['other.lease.example', null, /: no lease$/],
  ['both.lease.example', 'unknown', /leases of both sites at once/],
  ['primary.example', null, /no lease \(has no TXT\)/],
  ['nobody.example', null, /no lease \(does not exist \(NXDOMAIN\)\)/],
])('the lease at %s', async (leaseRecord, says, text) => {
  const active = { by: 'dns', record: 'dr.example', server: dns.server, addressOf: four } as const;
  const heard = await hearWitnesses({ ...active, leaseRecord });
  expect(heard.named.says).toBe('dr');
  expect(heard.lease).toMatchObject({ name: 'lease', says });
  expect(heard.lease?.text).toMatch(text);
});

test.each([
  ['SERVFAIL', 2, 'unknown', /the DNS server failed \(SERVFAIL\)/],
  ['NOTIMP', 4, null, /no lease \(the DNS server does not know such queries\)/],
  ['REFUSED', 5, null, /no lease \(the DNS server refused the query\)/],
] as const)('a server that answers TXT with %s', async (_, code, says, text) => {
  await using refusing = await startRefusingDns({ A: '192.0.2.1' }, code);
  const { server } = refusing;
  const record = 'vm.example';
  const active = { by: 'dns', record, server, addressOf: four, leaseRecord: record } as const;
  const heard = await hearWitnesses(active);
  // AAAA, of which neither site has an address, is refused as well.
  expect(heard.named.says).toBe('primary');
  expect(heard.lease?.says).toBe(says);
  expect(heard.lease?.text).toMatch(text);
});

test('a server that fails gives no direction, nor does one that fails for the family of a site', async () => {
  await using failing = await startRefusingDns({}, 2);
  const none = await ask('vm.example', four, failing.server);
  expect(none).toEqual({
    site: 'unknown',
    reason: 'DNS record vm.example: the DNS server failed (SERVFAIL)',
  });
  await using half = await startRefusingDns({ A: '192.0.2.1' }, 2);
  const mixed = await ask('vm.example', { primary: '192.0.2.1', dr: '2001:db8::2' }, half.server);
  expect(mixed.site).toBe('unknown');
});

test('a record that turns is seen at the next look', async () => {
  const turning = await startDns([{ name: 'vm.example', addresses: ['192.0.2.1'], ttl: 300 }]);
  try {
    expect((await ask('vm.example', four, turning.server)).site).toBe('primary');
    await turning.set([{ name: 'vm.example', addresses: ['192.0.2.2'], ttl: 300 }]);
    expect((await ask('vm.example', four, turning.server)).site).toBe('dr');
  } finally {
    await turning.stop();
  }
});

test('a server that is down gives no direction', async () => {
  const active = await ask('primary.example', four, `127.0.0.1:${await freePort()}`);
  expect(active.site).toBe('unknown');
  expect(active.reason).toMatch(/refuses connections|no answer from the DNS server/);
});

test('a server that is silent gives no direction', async () => {
  const silent = await startDns(records);
  silent.pause();
  const active = await ask('primary.example', four, silent.server);
  silent.resume();
  await silent.stop();
  expect(active).toEqual({
    site: 'unknown',
    reason: 'DNS record primary.example: no answer from the DNS server in time',
  });
});

test('a server that is none gives no direction', async () => {
  expect(await ask('primary.example', four, 'nonsense')).toMatchObject({ site: 'unknown' });
});

test('a pinned site is asked of nobody', async () => {
  expect(await named({ by: 'pin', site: 'dr' })).toEqual({
    site: 'dr',
    reason: 'ACTIVE_SITE pins the dr site',
  });
});
