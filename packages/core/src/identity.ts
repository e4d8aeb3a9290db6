import type { Marker } from './own-series.ts';
import { type Direction, otherSite, SITES, type Site } from './site.ts';

/** What this vm-sync remembers of who is who; times by its own clock. */
export interface Identity {
  /** The name of the pair of VMs, null before the first markers. */
  readonly pair: string | null;
  /** When this vm-sync last wrote the markers. */
  readonly markedMs: number | null;
  /** The first and the last sight of the right marker on each VM, since it was last written anew. */
  readonly seen: Readonly<
    Record<Site, { readonly firstMs: number; readonly lastMs: number } | null>
  >;
  /** Series at once on each site, by the last clean check. */
  readonly series: Readonly<Record<Site, number | null>>;
  /** Sites of which a person said that the VM there is the right one; the next check marks them anew. */
  readonly accepted: readonly Site[];
  /** Why nothing is written now, null when nothing is wrong. */
  readonly refusal: string | null;
}

export const NO_IDENTITY: Identity = {
  pair: null,
  markedMs: null,
  seen: { primary: null, dr: null },
  series: { primary: null, dr: null },
  accepted: [],
  refusal: null,
};

/** Markers are written again so often, so that no retention loses them. */
export const MARK_EVERY_MS = 3_600_000;

/** A VM that is killed forgets its last seconds: only markers that were seen over this time count as kept. */
const KEPT_AFTER_MS = 60_000;

/**
 * A VM that was emptied may have been written to since: by the collector, whose queue and clock may lag. Samples older
 * than this before the last sight of its marker were there before, and are somebody else's.
 */
const EMPTIED_MARGIN_MS = 900_000;

export type Carried = Readonly<Record<Site, readonly Marker[]>>;

/** What the markers say. `unmarked` sites carry none and are to be marked; `lost` ones of them did carry one. */
export type Judged =
  | { readonly kind: 'refused'; readonly reason: string }
  | {
      readonly kind: 'sound';
      /** Null: there are no markers at all yet. */
      readonly pair: string | null;
      readonly unmarked: readonly Site[];
      readonly lost: readonly Site[];
    };

/** Judges the markers of both VMs, before anything is compared or written. */
export function judgeIdentity(identity: Identity, carried: Carried, direction: Direction): Judged {
  if (isSameServer(carried)) {
    return refused(
      `both URLs lead to the same VictoriaMetrics (each shows the same markers): ${MEND_URLS}`,
    );
  }
  const twins = pairsOf(carried.primary, 'primary').filter((pair) =>
    pairsOf(carried.dr, 'dr').includes(pair),
  );
  const pair = pairOf(identity, carried, twins);
  const unmarked: Site[] = [];
  const wrong: { readonly site: Site; readonly marker: Marker }[] = [];
  for (const site of SITES) {
    if (identity.accepted.includes(site)) {
      unmarked.push(site);
      continue;
    }
    const own = carried[site].find((one) => one.pair === pair && one.site === site);
    const newest = newestOf(carried[site].filter((one) => !isTwin(one, site, twins)));
    if (!newest && !own) unmarked.push(site);
    else if (newest && (!own || newest.atMs > own.atMs)) wrong.push({ site, marker: newest });
  }
  if (wrong.length > 0) return refused(whatIsWrong(wrong, pair));
  const lost = unmarked.filter(
    (site) => !identity.accepted.includes(site) && hasLost(identity, site, carried, direction),
  );
  return { kind: 'sound', pair, unmarked, lost };
}

const refused = (reason: string): Judged => ({ kind: 'refused', reason });

const MEND_URLS =
  'nothing is written; set LOCAL_VM_URL and REMOTE_VM_URL right (ROLE says which site is the local one)';

const isTwin = (marker: Marker, site: Site, twins: readonly string[]): boolean =>
  marker.site === site && twins.includes(marker.pair);

const pairsOf = (markers: readonly Marker[], site: Site): string[] =>
  markers.filter((one) => one.site === site).map((one) => one.pair);

/** Renewals give markers of one pair the same time on both VMs, but never the same site. */
function isSameServer({ primary, dr }: Carried): boolean {
  const textOf = (markers: readonly Marker[]) =>
    markers.map(({ site, pair, atMs }) => `${site} ${pair} ${atMs}`).sort();
  return primary.length > 0 && textOf(primary).join() === textOf(dr).join();
}

/**
 * The name of the pair: the remembered one, or what the VMs say. Two vm-syncs that began at the same time gave it two
 * names; both VMs carry both then, and the first in order counts for everybody.
 */
function pairOf({ pair }: Identity, carried: Carried, twins: readonly string[]): string | null {
  if (twins.length > 0 && (pair === null || twins.includes(pair))) {
    return [...twins].sort()[0] as string;
  }
  return pair ?? newestOf([...carried.primary, ...carried.dr])?.pair ?? null;
}

const newestOf = (markers: readonly Marker[]): Marker | undefined =>
  markers.reduce<Marker | undefined>(
    (newest, one) => (newest && newest.atMs >= one.atMs ? newest : one),
    undefined,
  );

function whatIsWrong(
  wrong: readonly { readonly site: Site; readonly marker: Marker }[],
  pair: string | null,
): string {
  const crossed = wrong.filter(({ site, marker }) => marker.pair === pair && marker.site !== site);
  if (crossed.length === SITES.length) {
    return `the URLs are swapped (the VM at primary's URL carries dr's marker, and the other way round): ${MEND_URLS}`;
  }
  return wrong
    .map(({ site, marker }) => {
      const what =
        marker.pair === pair
          ? `${marker.site}'s marker: the URL leads to ${marker.site}'s VM, or ${site} was restored from ${marker.site}'s backup`
          : `the marker of another pair (${marker.pair}, ${marker.site}): it is a stranger's, or was restored from a stranger's backup`;
      return `the VM at ${site}'s URL carries ${what}; nothing is written; set the URL right, or confirm that this is ${site}'s VM: ${acceptCommand(site)}`;
    })
    .join('; ');
}

const acceptCommand = (site: Site): string => `vm-sync accept --site ${site}`;

/** True when a VM without markers is known to have carried one, or must have. */
function hasLost({ seen }: Identity, site: Site, carried: Carried, { source }: Direction): boolean {
  const sight = seen[site];
  if (sight) return sight.lastMs - sight.firstMs >= KEPT_AFTER_MS;
  // The source is marked before the destination.
  return site === source && carried[otherSite(site)].length > 0;
}

/** Why nothing may be copied from a source that has lost its marker. */
export const sourceLost = (site: Site): string =>
  `${site}, the source of truth, carries no marker of vm-sync any more: it was emptied, replaced or restored; nothing is copied from it until a person confirms that it is right: ${acceptCommand(site)}`;

/** Why nothing may be copied to a destination that has lost its marker, and is not empty. */
export const destinationLost = (site: Site, beforeMs: number): string =>
  `${site}, the destination, carries no marker of vm-sync any more, but holds samples from before ${new Date(beforeMs).toISOString()}: it was replaced or restored; nothing is written to it until a person confirms that it is right: ${acceptCommand(site)}`;

/** Both URLs were found to lead to one server, by a marker that was written to one and seen on the other. */
export const sameServer = `both URLs lead to the same VictoriaMetrics (a marker written to one shows on the other): ${MEND_URLS}`;

/** A VM that lost its marker was emptied when it holds nothing from before this. */
export const emptiedSinceMs = ({ seen }: Identity, site: Site): number | null => {
  const sight = seen[site];
  return sight && sight.lastMs - EMPTIED_MARGIN_MS;
};

/** What was seen is remembered; markers that were lost before they were certainly kept are forgotten. */
export function noteSeen(
  identity: Identity,
  { pair, unmarked }: Extract<Judged, { kind: 'sound' }>,
  nowMs: number,
): Identity {
  const sight = (site: Site) =>
    unmarked.includes(site)
      ? null
      : { firstMs: identity.seen[site]?.firstMs ?? nowMs, lastMs: nowMs };
  const seen = { primary: sight('primary'), dr: sight('dr') };
  return { ...identity, pair, seen, refusal: null };
}

/** True when the markers are to be written: where one is missing, and once an hour. */
export const isToBeMarked = (identity: Identity, unmarked: readonly Site[], nowMs: number) =>
  unmarked.length > 0 ||
  identity.markedMs === null ||
  Math.abs(nowMs - identity.markedMs) >= MARK_EVERY_MS;

/** The markers were written; of VMs that are new here nothing is remembered but that. */
export function noteMarked(
  identity: Identity,
  pair: string,
  unmarked: readonly Site[],
  nowMs: number,
): Identity {
  const series = { ...identity.series };
  for (const site of unmarked) series[site] = null;
  return { ...identity, pair, markedMs: nowMs, series, accepted: [] };
}

/** A person says that the VM at this site is the right one, whatever it carries and however few series it has. */
export const acceptSite = (identity: Identity, site: Site): Identity => ({
  ...identity,
  accepted: [...new Set([...identity.accepted, site])],
  seen: { ...identity.seen, [site]: null },
  series: { ...identity.series, [site]: null },
});

/** With fewer series than this, a loss of half of them says nothing. */
const SERIES_LEAST = 20;

/** Why a source is too small to be believed, undefined when it is not. */
export function whyShrunken(identity: Identity, source: Site, series: number): string | undefined {
  const before = identity.series[source];
  if (before === null || before < SERIES_LEAST || series * 2 >= before) return undefined;
  return `${source}, the source of truth, has ${series} series, after ${before} at the last clean check: nothing is copied until they are back, or a person confirms that this is right: ${acceptCommand(source)}`;
}

/** What is known of the VM at a site, for people. */
export function identityText({ pair, seen, accepted }: Identity, site: Site): string {
  if (accepted.includes(site)) return 'accepted, to be marked by the next check';
  if (pair === null || seen[site] === null) return 'no marker seen yet';
  return `carries ${site}'s marker of pair ${pair}`;
}

/** A clean check: both sites have these series. */
export const noteSeries = (identity: Identity, series: number): Identity => ({
  ...identity,
  series: { primary: series, dr: series },
});
