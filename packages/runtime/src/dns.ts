import { Resolver } from 'node:dns/promises';
import { isIP } from 'node:net';
import { type ActiveSite, activeSiteFromDns, type DnsAnswer } from '@vm-sync/core';
import type { ActiveConfig } from './config.ts';

/** Asks who is active: the pinned site, or the one that the DNS record names now. Never throws. */
export async function resolveActiveSite(active: ActiveConfig): Promise<ActiveSite> {
  if (active.by === 'pin') {
    return { site: active.site, reason: `ACTIVE_SITE pins the ${active.site} site` };
  }
  return activeSiteFromDns(active.record, await lookUp(active), active.addressOf);
}

/** Answers that say "this record has no address of this family", as opposed to "I do not know". */
const ABSENT = new Set(['ENODATA', 'ENOTFOUND']);

const SAID: Record<string, string> = {
  ENOTFOUND: 'does not exist (NXDOMAIN)',
  ENODATA: 'has no address',
  ETIMEOUT: 'no answer from the DNS server in time',
  ECONNREFUSED: 'the DNS server refuses connections',
  ESERVFAIL: 'the DNS server failed (SERVFAIL)',
  EREFUSED: 'the DNS server refused the query',
};

async function lookUp({
  record,
  server,
  addressOf,
}: Extract<ActiveConfig, { by: 'dns' }>): Promise<DnsAnswer> {
  const resolver = new Resolver({ timeout: 2_000, tries: 2 });
  try {
    if (server !== undefined) resolver.setServers([server]);
    const families = await Promise.allSettled([
      resolver.resolve4(record),
      resolver.resolve6(record),
    ]);
    const addresses = families.flatMap((one) => (one.status === 'fulfilled' ? one.value : []));
    // A family that neither site has an address of may be refused by the server, as some do.
    const used = Object.values(addressOf).map((address) => (isIP(address) === 6 ? 1 : 0));
    const codes = families.flatMap((one, family) =>
      one.status === 'rejected' && used.includes(family as 0 | 1) ? [codeOf(one.reason)] : [],
    );
    // One family without an answer may hide the other site's address: that is not evidence.
    const failure = codes.find((code) => !ABSENT.has(code)) ?? (addresses.length === 0 && codes[0]);
    if (failure) return { kind: 'failed', reason: SAID[failure] ?? failure };
    return { kind: 'addresses', addresses };
  } catch (error) {
    return { kind: 'failed', reason: (error as Error).message };
  }
}

const codeOf = (error: unknown): string =>
  String((error as NodeJS.ErrnoException).code ?? (error as Error).message);
