import { Resolver } from 'node:dns/promises';
import { expect, onTestFinished, test } from 'vitest';
import { startDns } from '../src/index.ts';

test('answers its records and nothing else, until they are set anew', async () => {
  const dns = await startDns([
    { name: 'vm.test', addresses: ['10.0.0.1', '10.0.0.2', 'fd00::1'], ttl: 30, txt: 'a b; "c"' },
    { name: 'alias.test', cname: 'vm.test', ttl: 7 },
    { name: 'texts.test', txt: ['one', 'two=2 three=3'] },
  ]);
  onTestFinished(() => dns.stop());
  const resolver = new Resolver({ timeout: 500, tries: 2 });
  resolver.setServers([dns.server]);

  const addresses = await resolver.resolve4('vm.test', { ttl: true });
  expect(addresses.map(({ address }) => address).sort()).toEqual(['10.0.0.1', '10.0.0.2']);
  expect(addresses[0]?.ttl).toBe(30);
  expect(await resolver.resolve6('vm.test')).toEqual(['fd00::1']);
  const aliased = await resolver.resolve4('alias.test', { ttl: true });
  expect(aliased.map(({ ttl }) => ttl)).toEqual([7, 7]);
  expect((await resolver.resolveTxt('texts.test')).flat().sort()).toEqual(['one', 'two=2 three=3']);
  await expect(resolver.resolve4('other.test')).rejects.toThrow('ENOTFOUND');

  await dns.set([{ name: 'vm.test', addresses: ['10.0.0.9'] }]);
  expect(await resolver.resolve4('vm.test')).toEqual(['10.0.0.9']);
  await expect(resolver.resolve6('vm.test')).rejects.toThrow('ENODATA');
  await expect(resolver.resolve4('alias.test')).rejects.toThrow('ENOTFOUND');

  dns.pause();
  await expect(resolver.resolve4('vm.test')).rejects.toThrow('ETIMEOUT');
});
