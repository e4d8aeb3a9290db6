import {
  directionFrom,
  directionKey,
  formatDirection,
  formatDuration,
  SITES,
  type Site,
  verifiedThroughMs,
} from '@vm-sync/core';
import { readiness, type Status } from '@vm-sync/queue';
import { type Config, stateToFile } from '@vm-sync/runtime';
import { complain, EXIT, type ExitCode, iso, number, print, printJson, table } from '../output.ts';
import { withRedis } from '../redis.ts';

/** What the last check saw. */
export const status = (config: Config, { json }: { json?: boolean }): Promise<ExitCode> =>
  withRedis(config, async ({ store, repairs }) => {
    const seen = await store.loadStatus();
    const verdict = readiness(seen, undefined, Date.now());
    const paused = await repairs.isPaused();
    if (json) {
      const { detail: _, ...state } = seen ? stateToFile(seen.state) : {};
      printJson({
        ...state,
        ready: verdict.ready,
        known: verdict.known,
        reasons: verdict.reasons,
        paused,
      });
    } else
      print(
        seen
          ? describe(seen, verdict, paused)
          : 'UNKNOWN: no check has been made yet; is the scheduler running?',
      );
    if (!verdict.known) return EXIT.unknown;
    return verdict.ready ? EXIT.fine : EXIT.found;
  });

function describe(seen: Status, verdict: ReturnType<typeof readiness>, paused: boolean): string {
  const { state } = seen;
  const word = verdict.ready ? 'FAILBACK READY' : verdict.known ? 'NOT READY' : 'UNKNOWN';
  const rows: [string, string][] = [
    ['active site', `${state.activeSite} (${seen.activeReason})`],
    [
      'last check',
      `${iso(state.lastCheckMs)}, ${formatDuration(Date.now() - seen.atMs)} ago, ${seen.outcome}`,
    ],
    ['clean checks', `${state.consecutiveClean} of ${seen.cleanChecksWanted}`],
    ['gaps', number(state.gapsDetected)],
    ['last sync', iso(state.lastSyncMs)],
    ['samples synced', number(state.samplesSynced)],
  ];
  for (const source of SITES) {
    const direction = directionFrom(source);
    const mark = state.marks[directionKey(direction)];
    rows.push([
      `verified ${formatDirection(direction)}`,
      mark ? iso(verifiedThroughMs(mark)) : '-',
    ]);
  }
  for (const site of SITES) {
    const view = seen.sites[site];
    if (view) rows.push([site, view.healthy ? `healthy, ${view.observation.url}` : view.reason]);
  }
  if (paused) rows.push(['repairs', 'paused']);
  const because = verdict.reasons.map((reason) => `\n  ${reason}`).join('');
  return `${word}${because}\n\n${table(rows)}`;
}

/** Exit 0 only when parity is proven. */
export async function ready(config: Config, { site }: { site?: string }): Promise<ExitCode> {
  if (site !== undefined && !SITES.includes(site as Site)) {
    complain(`--site: expected primary or dr, got ${JSON.stringify(site)}`);
    return EXIT.unknown;
  }
  return withRedis(config, async ({ store }) => {
    const verdict = readiness(await store.loadStatus(), site as Site | undefined, Date.now());
    if (verdict.ready) {
      print(site ? `${site} is proven complete` : 'FAILBACK READY');
      return EXIT.fine;
    }
    complain(`${verdict.known ? 'NOT READY' : 'UNKNOWN'}: ${verdict.reasons.join('; ')}`);
    return verdict.known ? EXIT.found : EXIT.unknown;
  });
}
