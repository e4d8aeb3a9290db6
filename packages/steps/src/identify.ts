import { setTimeout as sleep } from 'node:timers/promises';
import {
  type Direction,
  destinationLost,
  emptiedSinceMs,
  errorKind,
  formatSelector,
  type Identity,
  isToBeMarked,
  type Judged,
  judgeIdentity,
  type Marker,
  makeWindow,
  noteMarked,
  noteSeen,
  type Selector,
  type Site,
  type SyncEvent,
  sameServer,
  sourceLost,
  VmSyncError,
} from '@vm-sync/core';
import type { SiteDatabase } from './ports.ts';

export interface IdentifyContext {
  readonly sites: Readonly<Record<Site, SiteDatabase>>;
  /** A name for a pair that has none yet. Where it is absent nothing is written: markers are read and judged only. */
  readonly newPair?: (() => string) | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface Identified {
  readonly identity: Identity;
  readonly events: readonly SyncEvent[];
}

/** The VMs are not who they should be; the sentence says what was seen and what to do. */
export class IdentityError extends Error {
  override name = 'IdentityError';
}

/**
 * Finds out whether each URL leads to the VM that it should lead to, by the markers in both, and writes these where they
 * are missing or getting old. Throws an `IdentityError` before anything is compared or written when one does not.
 */
export async function identify(
  context: IdentifyContext,
  direction: Direction,
  scope: readonly Selector[],
  identity: Identity,
  nowMs: number,
): Promise<Identified> {
  const { sites, signal } = context;
  const [primary, dr] = await Promise.all([sites.primary.own(signal), sites.dr.own(signal)]);
  const carried = { primary: primary.markers, dr: dr.markers };
  const judged = judgeIdentity(identity, carried, direction);
  if (judged.kind === 'refused') throw new IdentityError(judged.reason);
  const events: SyncEvent[] = [];
  for (const site of judged.lost) {
    if (site === direction.source) throw new IdentityError(sourceLost(site));
    const sinceMs = emptiedSinceMs(identity, site);
    if (sinceMs === null) continue;
    if (await holdsBefore(sites[site], scope, sinceMs, signal)) {
      throw new IdentityError(destinationLost(site, sinceMs));
    }
    if (context.newPair) events.push({ kind: 'site-emptied', site, sinceMs });
  }
  const seen = noteSeen(identity, judged, nowMs);
  if (!context.newPair || !isToBeMarked(identity, judged.unmarked, nowMs)) {
    return { identity: seen, events };
  }
  const pair = judged.pair ?? context.newPair();
  const known = [...carried.primary, ...carried.dr];
  const newestMs = known.reduce((most, { atMs }) => Math.max(most, atMs + 1), nowMs);
  await mark(context, direction, { pair, atMs: newestMs }, judged);
  return { identity: noteMarked(seen, pair, judged.unmarked, nowMs), events };
}

/**
 * Marks the source first, and looks for its marker on the destination before that is marked: where it shows, both are
 * one server. Without a new VM there is nothing to find out, and nothing is waited for.
 */
async function mark(
  { sites, signal }: IdentifyContext,
  { source, destination }: Direction,
  { pair, atMs }: { readonly pair: string; readonly atMs: number },
  { unmarked }: Extract<Judged, { kind: 'sound' }>,
): Promise<void> {
  const ofSource: Marker = { site: source, pair, atMs };
  await sites[source].writeMarker(ofSource, signal);
  await sites[source].makeVisible(signal);
  if (unmarked.length > 0) {
    await untilShown(sites[source], ofSource, signal);
    if (await shows(sites[destination], ofSource, signal)) throw new IdentityError(sameServer);
  }
  await sites[destination].writeMarker({ site: destination, pair, atMs }, signal);
  await sites[destination].makeVisible(signal);
}

/** Where a flush is not allowed new series show within about 12 s (measured). */
const SHOWN_WITHIN_MS = 20_000;
const LOOK_EVERY_MS = 500;

async function untilShown(
  database: SiteDatabase,
  marker: Marker,
  signal: AbortSignal | undefined,
): Promise<void> {
  for (let waitedMs = 0; waitedMs < SHOWN_WITHIN_MS; waitedMs += LOOK_EVERY_MS) {
    if (await shows(database, marker, signal)) return;
    await sleep(LOOK_EVERY_MS, undefined, { signal });
  }
  throw new VmSyncError(
    'retryable',
    `${database.site} (${database.url}) accepted vm-sync's identity marker and does not show it: check that reads and writes lead to the same VictoriaMetrics`,
  );
}

async function shows(
  database: SiteDatabase,
  { site, pair, atMs }: Marker,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  const { markers } = await database.own(signal);
  return markers.some((one) => one.site === site && one.pair === pair && one.atMs === atMs);
}

const DAY_MS = 86_400_000;
/** Over more than about 40 days 1.79 lists everything that it ever held. */
const LISTED_MS = 35 * DAY_MS;

/** Whether a VM holds anything that is older: a day of it is counted, what is older still is looked up by name. */
async function holdsBefore(
  database: SiteDatabase,
  scope: readonly Selector[],
  beforeMs: number,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  const selectors = scope.map(formatSelector);
  const toMs = Math.floor(beforeMs / 1000) * 1000;
  const lastDay = makeWindow(toMs - DAY_MS, toMs);
  if ((await database.totalSamples({ selectors, window: lastDay, signal })) > 0) return true;
  const window = makeWindow(toMs - LISTED_MS, toMs - DAY_MS);
  for (const selector of selectors) {
    try {
      const names = await database.labelValues('__name__', { selector, window, signal });
      if (names.length > 0) return true;
    } catch (error) {
      // A proxy does not let it be asked: a person has to know.
      if (errorKind(error) === 'final') return true;
      throw error;
    }
  }
  return false;
}
