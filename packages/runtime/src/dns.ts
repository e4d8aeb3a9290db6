import { Resolver } from 'node:dns/promises';
import { isIP } from 'node:net';
import {
  activeSiteFromDns,
  type DnsAnswer,
  leaseWitness,
  type Testimony,
  type TxtAnswer,
} from '@vm-sync/core';
import type { ActiveConfig } from './config.ts';

type ByDns = Extract<ActiveConfig, { by: 'dns' }>;

/** Hears the witnesses outside of the databases: the setting, or the record's address and its lease. Never throws. */
export async function hearWitnesses(active: ActiveConfig): Promise<Testimony> {
  if (active.by === 'pin') {
    const text = `ACTIVE_SITE pins the ${active.site} site`;
    const named = { name: 'setting', says: active.site, text } as const;
    return { atMs: Date.now(), named, ttlMs: 0, lease: null };
  }
  const { record, addressOf, leaseRecord } = active;
  const [{ answer, ttlMs }, texts] = await Promise.all([
    lookUp(active),
    leaseRecord === undefined ? undefined : lookUpTexts(leaseRecord, active),
  ]);
  const { site, reason } = activeSiteFromDns(record, answer, addressOf);
  const atMs = Date.now();
  return {
    atMs,
    named: { name: 'address', says: site, text: reason },
    ttlMs,
    lease: texts === undefined ? null : leaseWitness(leaseRecord as string, texts, atMs),
  };
}

/** Answers that say "this record has none of this kind", as opposed to "I do not know". */
const ABSENT = new Set(['ENODATA', 'ENOTFOUND']);

/** Servers that do not serve TXT at all say so in one of these ways: then there is no lease. */
const NOT_SERVED = new Set(['EREFUSED', 'ENOTIMP', 'EFORMERR']);

const SAID: Record<string, string> = {
  ENOTFOUND: 'does not exist (NXDOMAIN)',
  ENODATA: 'has no address',
  ETIMEOUT: 'no answer from the DNS server in time',
  ECONNREFUSED: 'the DNS server refuses connections',
  ESERVFAIL: 'the DNS server failed (SERVFAIL)',
  EREFUSED: 'the DNS server refused the query',
  ENOTIMP: 'the DNS server does not know such queries',
  EFORMERR: 'the DNS server cannot read the query',
};

const saidBy = (code: string): string => SAID[code] ?? code;

function resolverOf({ server }: ByDns): Resolver {
  const resolver = new Resolver({ timeout: 2_000, tries: 2 });
  if (server !== undefined) resolver.setServers([server]);
  return resolver;
}

/** Asks for both kinds of addresses; the TTL is the shortest of what was answered, also along a chain of aliases. */
async function lookUp(active: ByDns): Promise<{ answer: DnsAnswer; ttlMs: number }> {
  const { record, addressOf } = active;
  try {
    const resolver = resolverOf(active);
    const families = await Promise.allSettled([
      resolver.resolve4(record, { ttl: true }),
      resolver.resolve6(record, { ttl: true }),
    ]);
    const found = families.flatMap((one) => (one.status === 'fulfilled' ? one.value : []));
    // A family that neither site has an address of may be refused by the server, as some do.
    const used = Object.values(addressOf).map((address) => (isIP(address) === 6 ? 1 : 0));
    const codes = families.flatMap((one, family) =>
      one.status === 'rejected' && used.includes(family as 0 | 1) ? [codeOf(one.reason)] : [],
    );
    // One family without an answer may hide the other site's address: that is not evidence.
    const failure = codes.find((code) => !ABSENT.has(code)) ?? (found.length === 0 && codes[0]);
    if (failure) return failed(saidBy(failure));
    const ttlS = found.length === 0 ? 0 : Math.min(...found.map(({ ttl }) => ttl));
    const addresses = found.map(({ address }) => address);
    return { answer: { kind: 'addresses', addresses }, ttlMs: ttlS * 1_000 };
  } catch (error) {
    return failed((error as Error).message);
  }
}

const failed = (reason: string): { answer: DnsAnswer; ttlMs: number } => ({
  answer: { kind: 'failed', reason },
  ttlMs: 0,
});

async function lookUpTexts(record: string, active: ByDns): Promise<TxtAnswer> {
  try {
    const texts = await resolverOf(active).resolveTxt(record);
    return { kind: 'texts', texts: texts.map((parts) => parts.join('')) };
  } catch (error) {
    const code = codeOf(error);
    if (code === 'ENODATA') return { kind: 'none', reason: 'has no TXT' };
    const none = ABSENT.has(code) || NOT_SERVED.has(code);
    return { kind: none ? 'none' : 'failed', reason: saidBy(code) };
  }
}

const codeOf = (error: unknown): string =>
  String((error as NodeJS.ErrnoException).code ?? (error as Error).message);
