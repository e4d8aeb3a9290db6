/** A place with a VictoriaMetrics of its own. */
export type Site = 'primary' | 'dr';

export const SITES: readonly Site[] = ['primary', 'dr'];

export const otherSite = (site: Site): Site => (site === 'primary' ? 'dr' : 'primary');

/** Source and destination are the roles of the two sites in one repair. */
export interface Direction {
  readonly source: Site;
  readonly destination: Site;
}

/** The name of a direction in state, job ids and metrics. */
export type DirectionKey = 'primary-to-dr' | 'dr-to-primary';

export const DIRECTION_KEYS: readonly DirectionKey[] = ['primary-to-dr', 'dr-to-primary'];

export const directionFrom = (source: Site): Direction => ({
  source,
  destination: otherSite(source),
});

export const directionKey = (direction: Direction): DirectionKey =>
  direction.source === 'primary' ? 'primary-to-dr' : 'dr-to-primary';

/** The direction of that name. */
export const directionOf = (key: DirectionKey): Direction =>
  directionFrom(key === 'primary-to-dr' ? 'primary' : 'dr');

export const reverse = (direction: Direction): Direction => directionFrom(direction.destination);

/** `dr → primary`, for people. */
export const formatDirection = (direction: Direction): string =>
  `${direction.source} → ${direction.destination}`;

/** The site that an address names, with a sentence that a person can check. */
export interface NamedSite {
  readonly site: Site | 'unknown';
  readonly reason: string;
}

/** What a DNS look-up brought: addresses, or why there are none. */
export type DnsAnswer =
  | { readonly kind: 'addresses'; readonly addresses: readonly string[] }
  | { readonly kind: 'failed'; readonly reason: string };

/** Judges a DNS answer against the two sites' addresses. */
export function activeSiteFromDns(
  record: string,
  answer: DnsAnswer,
  addressOf: Readonly<Record<Site, string>>,
): NamedSite {
  if (answer.kind === 'failed') {
    return { site: 'unknown', reason: `DNS record ${record}: ${answer.reason}` };
  }
  const said = `DNS record ${record} answers ${listed(answer.addresses) || 'no address'}`;
  const named = SITES.filter((site) =>
    answer.addresses.some((address) => sameAddress(address, addressOf[site])),
  );
  const strangers = answer.addresses.filter(
    (address) => !SITES.some((site) => sameAddress(address, addressOf[site])),
  );
  const [site, second] = named;
  if (second) return { site: 'unknown', reason: `${said}: both sites at once` };
  if (strangers.length > 0) {
    return { site: 'unknown', reason: `${said}: ${listed(strangers)} belongs to neither site` };
  }
  if (!site) return { site: 'unknown', reason: said };
  return { site, reason: `${said}, the ${site} site` };
}

const LISTED_MOST = 4;

/** An answer may hold thousands of addresses; the sentence goes into messages. */
function listed(addresses: readonly string[]): string {
  const more = addresses.length - LISTED_MOST;
  const shown = addresses.slice(0, LISTED_MOST).join(', ');
  return more > 0 ? `${shown} and ${more} more` : shown;
}

/** Compares two textual IP addresses; IPv6 in any of its spellings. */
export function sameAddress(a: string, b: string): boolean {
  return canonicalAddress(a) === canonicalAddress(b);
}

function canonicalAddress(address: string): string {
  if (!address.includes(':')) return address;
  const [head = '', tail] = withoutDots(address.toLowerCase()).split('::');
  const parse = (part: string) => (part === '' ? [] : part.split(':').map((h) => parseInt(h, 16)));
  const before = parse(head);
  const after = tail === undefined ? [] : parse(tail);
  const zeros = tail === undefined ? [] : new Array(8 - before.length - after.length).fill(0);
  return [...before, ...zeros, ...after].join(':');
}

/** `::ffff:192.0.2.1` as `::ffff:c000:201`. */
const withoutDots = (address: string): string =>
  address.replace(/(\d+)\.(\d+)\.(\d+)\.(\d+)$/, (_, ...bytes) => {
    const [a, b, c, d] = bytes.slice(0, 4).map(Number) as [number, number, number, number];
    return `${(a * 256 + b).toString(16)}:${(c * 256 + d).toString(16)}`;
  });
