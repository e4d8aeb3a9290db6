import {
  directionFrom,
  errorText,
  type Identity,
  judgeIdentity,
  NO_IDENTITY,
  type OwnSamples,
  SITES,
  type Site,
} from '@vm-sync/core';
import { type Config, readStateFile, resolveActiveSite } from '@vm-sync/runtime';
import type { Databases } from '@vm-sync/victoria-metrics';
import type { Finding } from './commands/doctor.ts';

/** Who is who, and which vm-syncs are heard of, by what both VMs carry. Writes nothing. */
export async function judgeMarkers(config: Config, databases: Databases): Promise<Finding[]> {
  const what = 'identity';
  try {
    const [primary, dr] = await Promise.all([databases.primary.own(), databases.dr.own()]);
    const own = { primary, dr };
    return [await judgeIdentities(config, own), ...heartbeatsOf(own)];
  } catch (error) {
    return [{ what, verdict: 'fault', text: errorText(error) }];
  }
}

async function judgeIdentities(
  config: Config,
  { primary, dr }: Readonly<Record<Site, OwnSamples>>,
): Promise<Finding> {
  const what = 'identity';
  const carried = { primary: primary.markers, dr: dr.markers };
  const active = await resolveActiveSite(config.active);
  const direction = directionFrom(active.site === 'unknown' ? config.role : active.site);
  const judged = judgeIdentity(await remembered(config), carried, direction);
  if (judged.kind === 'refused') return { what, verdict: 'fault', text: judged.reason };
  if (judged.lost.length > 0) {
    const text = `${judged.lost.join(' and ')}: the marker of vm-sync is gone; the next check says whether that matters`;
    return { what, verdict: 'advice', text };
  }
  if (judged.unmarked.length > 0) {
    const text = `${judged.unmarked.join(' and ')}: no marker yet; the scheduler's next check writes it`;
    return { what, verdict: 'fine', text };
  }
  return { what, verdict: 'fine', text: `each VM carries its marker, pair ${judged.pair}` };
}

/** By the clocks of those who wrote them. */
const heartbeatsOf = (own: Readonly<Record<Site, OwnSamples>>): Finding[] =>
  SITES.flatMap((site): Finding[] => {
    const beats = [...own.primary.heartbeats, ...own.dr.heartbeats];
    const times = beats.filter((beat) => beat.site === site).map(({ atMs }) => atMs);
    if (times.length === 0) return [];
    const at = new Date(Math.max(...times)).toISOString();
    return [{ what: 'duty', verdict: 'fine', text: `last heartbeat of ${site}'s vm-sync: ${at}` }];
  });

/** Where the state file cannot be read from here, the markers speak for themselves. */
async function remembered(config: Config): Promise<Identity> {
  const state = await readStateFile(config.stateFile).catch(() => undefined);
  return state?.identity ?? NO_IDENTITY;
}
