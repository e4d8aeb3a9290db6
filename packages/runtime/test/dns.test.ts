import { type DnsRecord, type DnsServer, freePort, startDns } from '@vm-sync/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { resolveActiveSite } from '../src/index.ts';

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
];

let dns: DnsServer;
beforeAll(async () => {
  dns = await startDns(records);
});
afterAll(() => dns.stop());

const four = { primary: '192.0.2.1', dr: '192.0.2.2' };
const six = { primary: '2001:db8:0::1', dr: '2001:DB8::2' };
const ask = (record: string, addressOf = four, server = dns.server) =>
  resolveActiveSite({ by: 'dns', record, server, addressOf });

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
  expect(await resolveActiveSite({ by: 'pin', site: 'dr' })).toEqual({
    site: 'dr',
    reason: 'ACTIVE_SITE pins the dr site',
  });
});
