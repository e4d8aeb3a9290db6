import { formatDuration } from './duration.ts';
import { SITES, type Site } from './site.ts';

/** One piece of evidence of which site is active. */
export interface Witness {
  readonly name: 'pin' | 'setting' | 'address' | 'lease' | 'freshness';
  /** The site that it speaks for; `unknown` when it could not be understood, null when it takes no side. */
  readonly says: Site | 'unknown' | null;
  /** A sentence that a person can check. */
  readonly text: string;
}

/** The witness that names the active site: the address in DNS, the setting, or a pin. */
export interface NamingWitness extends Witness {
  readonly name: 'pin' | 'setting' | 'address';
  readonly says: Site | 'unknown';
}

/** What the witnesses outside of the databases said at one time. */
export interface Testimony {
  readonly atMs: number;
  readonly named: NamingWitness;
  /** How long the answer may have been kept by a resolver on the way. */
  readonly ttlMs: number;
  /** Null where nobody is asked for a lease. */
  readonly lease: Witness | null;
}

/** What a look-up of TXT brought; `failed` when it is not known whether there is a lease. */
export type TxtAnswer =
  | { readonly kind: 'texts'; readonly texts: readonly string[] }
  | { readonly kind: 'none' | 'failed'; readonly reason: string };

/**
 * The lease that a failover tool keeps in DNS: `owner=primary|dr exp=<unix seconds>`. It speaks for its owner also when
 * it has expired: an owner who comes back does not renew it before the failback. Other texts mean nothing.
 */
export function leaseWitness(record: string, answer: TxtAnswer, nowMs: number): Witness {
  const says = (site: Witness['says'], text: string): Witness => ({
    name: 'lease',
    says: site,
    text: `TXT of ${record}: ${text}`,
  });
  if (answer.kind !== 'texts') {
    const { kind, reason } = answer;
    return kind === 'failed' ? says('unknown', reason) : says(null, `no lease (${reason})`);
  }
  const leases = answer.texts.flatMap((text) => readLease(text) ?? []);
  const [first] = leases;
  if (!first) return says(null, 'no lease');
  if (leases.some(({ owner }) => owner !== first.owner)) {
    return says('unknown', 'leases of both sites at once');
  }
  const known = leases.flatMap(({ expMs }) => expMs ?? []);
  const expMs = known.length === 0 ? null : Math.max(...known);
  return says(first.owner, `owner=${first.owner}, ${expiryText(expMs, nowMs)}`);
}

function expiryText(expMs: number | null, nowMs: number): string {
  if (expMs === null) return 'without an expiry';
  return `${expMs > nowMs ? 'valid until' : 'expired at'} ${new Date(expMs).toISOString()}`;
}

interface Lease {
  readonly owner: Site;
  readonly expMs: number | null;
}

/** Up to eleven digits: more are no seconds that a date can hold. */
function readLease(text: string): Lease | undefined {
  const of = (key: string) =>
    new RegExp(`(?:^|[\\s"';,])${key}=([^\\s"';,]+)`, 'i').exec(text)?.[1];
  const owner = SITES.find((site) => site === of('owner')?.toLowerCase());
  if (!owner) return undefined;
  const exp = of('exp') ?? '';
  return { owner, expMs: /^\d{1,11}$/.test(exp) ? Number(exp) * 1000 : null };
}

/** The newest sample of a site within the look-behind; null when there is none, or why it is not known. */
export type NewestSample = number | null | { readonly failed: string };

/**
 * Which site's data is fresher, where the difference is larger than what queues, settling and clocks make. Of a site
 * without samples in the look-behind it is only known that its newest is older than that.
 */
export function freshnessWitness(
  newest: Readonly<Record<Site, NewestSample>>,
  { fromMs, toMs, toleranceMs }: { fromMs: number; toMs: number; toleranceMs: number },
): Witness {
  const says = (site: Witness['says'], text: string): Witness => ({
    name: 'freshness',
    says: site,
    text,
  });
  const known: Partial<Record<Site, number | null>> = {};
  for (const site of SITES) {
    const one = newest[site];
    if (typeof one === 'object' && one !== null) return says('unknown', one.failed);
    known[site] = one;
  }
  const { primary = null, dr = null } = known;
  const lookedFor = formatDuration(toMs - fromMs);
  if (primary === null && dr === null) {
    return says(null, `neither site has samples of the last ${lookedFor}`);
  }
  const text = `newest sample: ${SITES.map((site) => `${site} ${newestText(known[site] ?? null, lookedFor)}`).join(', ')}`;
  const aheadMs = (primary ?? fromMs) - (dr ?? fromMs);
  if (Math.abs(aheadMs) <= toleranceMs) return says(null, text);
  return says(aheadMs > 0 ? 'primary' : 'dr', text);
}

const newestText = (atMs: number | null, lookedFor: string): string =>
  atMs === null ? `none in ${lookedFor}` : new Date(atMs).toISOString();
