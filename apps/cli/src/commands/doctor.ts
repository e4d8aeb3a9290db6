import {
  type ActiveSite,
  directionDoubts,
  dutyText,
  errorText,
  formatDuration,
  judgeTwins,
  SITES,
  type Site,
  type SiteObservation,
  type Witness,
  withFreshness,
} from '@vm-sync/core';
import { type Config, notifyVariable } from '@vm-sync/runtime';
import { checkSettings } from '@vm-sync/scheduler';
import { lookAtFreshness } from '@vm-sync/steps';
import { openDatabases } from '@vm-sync/victoria-metrics';
import { lookAtDirection, rememberedDirection } from '../direction.ts';
import { findingsForPeople, plainFindings } from '../doctor-text.ts';
import { judgeMarkers } from '../judge-markers.ts';
import { columns, EXIT, type ExitCode, type Json, paint, print, printJson } from '../output.ts';
import { type Report, showing } from '../progress-line.ts';
import { withRedis } from '../redis.ts';

export interface Finding {
  readonly what: string;
  readonly verdict: 'fine' | 'advice' | 'fault';
  readonly text: string;
}

/** Checks everything that vm-sync depends on, and says what to mend. */
export async function doctor(config: Config, { json }: Json): Promise<ExitCode> {
  const findings = await showing((tell) => examine(config, tell));
  const width = columns();
  if (json) printJson(findings);
  else if (width === undefined) print(plainFindings(findings).join('\n'));
  else print(findingsForPeople(findings, width, paint).join('\n'));
  return findings.some(({ verdict }) => verdict === 'fault') ? EXIT.found : EXIT.fine;
}

async function examine(config: Config, tell: Report): Promise<Finding[]> {
  const databases = openDatabases(config.vm);
  const findings: Finding[] = [];
  const observations: SiteObservation[] = [];
  for (const site of SITES) {
    tell({ act: `asking ${site}`, share: null });
    try {
      const seen = await databases[site].observe();
      observations.push(seen);
      const version = seen.version === undefined ? '' : `, ${seen.version}`;
      findings.push({
        what: site,
        verdict: 'fine',
        text: `answers queries at ${seen.url}${version}`,
      });
      findings.push(...judgeSite(site, seen));
    } catch (error) {
      findings.push({ what: site, verdict: 'fault', text: errorText(error) });
    }
  }
  tell({ act: 'asking for the direction', share: null });
  const active = await lookAtDirection(config, await rememberedDirection(config));
  const fresh = await lookAtFreshness({ sites: databases }, checkSettings(config), Date.now());
  const identity =
    observations.length === SITES.length ? await judgeMarkers(config, databases, active) : [];
  await Promise.all([databases.primary.close(), databases.dr.close()]);
  tell({ act: 'asking Redis', share: null });
  return [
    ...findings,
    ...identity,
    ...judgePair(config, observations),
    ...judgeDirection(withFreshness(active, fresh)),
    ...(await judgeRedis(config)),
    ...judgeTargets(config),
  ];
}

function judgeSite(site: Site, seen: SiteObservation): Finding[] {
  const findings: Finding[] = [];
  const add = (verdict: Finding['verdict'], text: string) =>
    findings.push({ what: site, verdict, text });
  if (seen.readOnly) add('fault', 'its storage is read-only: free disk space there');
  if (seen.dedupMs === undefined) {
    add(
      'advice',
      '/metrics is not reachable: deduplication, retention and restarts cannot be seen',
    );
  } else if (seen.dedupMs === 0) {
    add(
      'advice',
      'does not deduplicate: set -dedup.minScrapeInterval=1ms or the scrape interval, equal on both sites',
    );
  }
  return findings;
}

function judgePair(config: Config, [a, b]: readonly SiteObservation[]): Finding[] {
  if (!a || !b) return [];
  const what = 'both sites';
  const findings = judgeTwins(a, b, config).map(
    ({ subject, severity, text }): Finding => ({ what: subject, verdict: severity, text }),
  );
  for (const { dedupMs } of [a, b]) {
    if (dedupMs && dedupMs >= 1_000 && config.queryStepMs % dedupMs !== 0) {
      findings.push({
        what,
        verdict: 'advice',
        text: `QUERY_STEP is no multiple of the deduplication interval ${formatDuration(dedupMs)}: a common multiple is used`,
      });
    }
  }
  const about = (subject: string) => findings.some((one) => one.what === subject);
  if (!about('both sites') && !about('primary') && !about('dr')) {
    findings.push({ what, verdict: 'fine', text: 'settings agree, as far as they are known' });
  }
  if (a.clock && b.clock && !about('the clocks')) {
    findings.push({ what: 'the clocks', verdict: 'fine', text: "agree with this machine's" });
  }
  return findings;
}

/** The direction, each witness of it, and whether it is evidence enough for writing. */
function judgeDirection(active: ActiveSite): Finding[] {
  const doubts = directionDoubts(active);
  const verdict = active.site === 'unknown' ? 'fault' : 'fine';
  const contradicts = ({ says }: Witness) => says !== null && says !== active.site;
  const isStopped = active.witnesses.some((one) => one.name === 'lease' && contradicts(one));
  return [
    { what: 'direction', verdict, text: active.reason },
    ...active.witnesses.map(
      (witness): Finding => ({
        what: `witness ${witness.name}`,
        verdict: contradicts(witness) || witness.says === 'unknown' ? 'advice' : 'fine',
        text: `says ${witness.says ?? 'nothing'}: ${witness.text}`,
      }),
    ),
    ...doubts.map(
      (text): Finding => ({
        what: 'direction',
        // Anything else may end by itself.
        verdict: isStopped && !active.mayWrite ? 'fault' : 'advice',
        text,
      }),
    ),
    ...(active.mayWrite
      ? [{ what: 'direction', verdict: 'fine', text: 'repairs may be written' } as const]
      : []),
  ];
}

const HEARD = { info: 'everything', warn: 'what is warn or error', error: 'what is error' };

/** Who is told what. Nothing is sent: vm-sync notify --test does. */
function judgeTargets({ notify }: Config): Finding[] {
  const what = 'messages';
  if (notify.length === 0) {
    const text = 'NOTIFY_WEBHOOK is not set: nobody is told anything';
    return [{ what, verdict: 'advice', text }];
  }
  return notify.map(({ name, format, url, minSeverity, secret }): Finding => {
    const text = `${HEARD[minSeverity]} goes to ${new URL(url).host} (${notifyVariable('WEBHOOK', name)}, ${format})`;
    return format === 'json' && secret === undefined
      ? { what, verdict: 'advice', text: `${text}, unsigned: set NOTIFY_SECRET` }
      : { what, verdict: 'fine', text };
  });
}

async function judgeRedis(config: Config): Promise<Finding[]> {
  const what = 'Redis';
  try {
    return await withRedis(config, async ({ checks, dutyStore }): Promise<Finding[]> => {
      const view = await dutyStore.loadView();
      const duty: Finding[] = view
        ? [{ what: 'duty', verdict: 'fine', text: dutyText(view, Date.now()) }]
        : [];
      const client = await checks.getBackend().client;
      const info = String(await (client as unknown as { info(): Promise<string> }).info());
      const of = (name: string) => new RegExp(`^${name}:(.*?)\\r?$`, 'm').exec(info)?.[1] ?? '?';
      const policy = of('maxmemory_policy');
      const version = of('redis_version');
      if (policy !== 'noeviction') {
        const text = `maxmemory-policy is ${policy}: set noeviction, or jobs may vanish`;
        return [{ what, verdict: 'fault', text }, ...duty];
      }
      if (of('aof_enabled') !== '1') {
        const text = `${version}, without append-only file: work in progress is lost when it restarts (nothing else is)`;
        return [{ what, verdict: 'advice', text }, ...duty];
      }
      return [{ what, verdict: 'fine', text: `${version}, append-only, noeviction` }, ...duty];
    });
  } catch (error) {
    return [{ what, verdict: 'fault', text: errorText(error) }];
  }
}
