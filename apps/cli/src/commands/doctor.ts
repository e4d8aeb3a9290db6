import {
  dutyText,
  errorText,
  formatDuration,
  SITES,
  type Site,
  type SiteObservation,
} from '@vm-sync/core';
import { type Config, resolveActiveSite } from '@vm-sync/runtime';
import { openDatabases } from '@vm-sync/victoria-metrics';
import { judgeMarkers } from '../judge-markers.ts';
import { EXIT, type ExitCode, print, printJson } from '../output.ts';
import { withRedis } from '../redis.ts';

export interface Finding {
  readonly what: string;
  readonly verdict: 'fine' | 'advice' | 'fault';
  readonly text: string;
}

/** Checks everything that vm-sync depends on, and says what to mend. */
export async function doctor(config: Config, { json }: { json?: boolean }): Promise<ExitCode> {
  const databases = openDatabases(config.vm);
  const findings: Finding[] = [];
  const observations: SiteObservation[] = [];
  for (const site of SITES) {
    try {
      const seen = await databases[site].observe();
      observations.push(seen);
      findings.push({ what: site, verdict: 'fine', text: `answers queries at ${seen.url}` });
      findings.push(...judgeSite(site, seen));
    } catch (error) {
      findings.push({ what: site, verdict: 'fault', text: errorText(error) });
    }
  }
  const identity =
    observations.length === SITES.length ? await judgeMarkers(config, databases) : [];
  await Promise.all([databases.primary.close(), databases.dr.close()]);
  findings.push(
    ...identity,
    ...judgePair(config, observations),
    await judgeDns(config),
    ...(await judgeRedis(config)),
  );
  if (json) printJson(findings);
  else for (const { what, verdict, text } of findings) print(`${MARK[verdict]} ${what}: ${text}`);
  return findings.some(({ verdict }) => verdict === 'fault') ? EXIT.found : EXIT.fine;
}

const MARK = { fine: 'ok    ', advice: 'advice', fault: 'FAULT ' };

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
  const findings: Finding[] = [];
  const add = (verdict: Finding['verdict'], text: string) =>
    findings.push({ what: 'both sites', verdict, text });
  if (a.dedupMs !== undefined && b.dedupMs !== undefined && a.dedupMs !== b.dedupMs) {
    const which = [a, b].map(
      (one) => `${one.site} ${one.dedupMs === 0 ? 'off' : formatDuration(one.dedupMs ?? 0)}`,
    );
    add(
      'fault',
      `deduplicate differently (${which.join(', ')}): set -dedup.minScrapeInterval alike`,
    );
  }
  if (
    a.retentionMs !== undefined &&
    b.retentionMs !== undefined &&
    a.retentionMs !== b.retentionMs
  ) {
    add(
      'advice',
      'keep data for different times: what is older than the shorter -retentionPeriod is not compared',
    );
  }
  for (const { dedupMs } of [a, b]) {
    if (dedupMs && dedupMs >= 1_000 && config.queryStepMs % dedupMs !== 0) {
      add(
        'advice',
        `QUERY_STEP is no multiple of the deduplication interval ${formatDuration(dedupMs)}: a common multiple is used`,
      );
    }
  }
  if (findings.length === 0) add('fine', 'settings agree');
  return findings;
}

async function judgeDns(config: Config): Promise<Finding> {
  const active = await resolveActiveSite(config.active);
  return {
    what: 'direction',
    verdict: active.site === 'unknown' ? 'fault' : 'fine',
    text: active.reason,
  };
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
