import { SITES } from '@vm-sync/core';
import { readiness, type Status, type TotalsView } from '@vm-sync/queue';
import { addCheck, addChecks } from './check.ts';
import { Exposition, type Sample } from './exposition.ts';
import { addState } from './state.ts';
import { addChunks, addWork, type Work } from './work.ts';

/** What one scrape found; what is not known is undefined and gives no sample, never a zero. */
export interface Scrape {
  readonly redisUp: boolean;
  readonly status: Status | undefined;
  readonly work: Work | undefined;
  readonly totals: TotalsView | undefined;
}

export const NOTHING_KNOWN: Scrape = {
  redisUp: false,
  status: undefined,
  work: undefined,
  totals: undefined,
};

/** The text of vm-sync's own metrics. Built anew for every scrape: two at once cannot mix their values. */
export function renderMetrics(scrape: Scrape, nowMs: number): Promise<string> {
  const out = new Exposition();
  const { redisUp, status, work, totals } = scrape;
  out.gauge('redis_up', 'Whether Redis answers.', [[{}, redisUp]]);
  out.gauge('ready', 'Whether FAILBACK READY is proven now; 0 also when that is not known.', [
    [{}, readiness(status, undefined, nowMs).ready],
  ]);
  out.gauge(
    'parity',
    'Whether the site is proven complete now; 0 also when that is not known.',
    SITES.map((site): Sample => [{ site }, readiness(status, site, nowMs).ready]),
  );
  if (work) addWork(out, work, nowMs);
  if (totals) {
    addChecks(out, totals);
    addChunks(out, totals);
  }
  if (status) {
    addCheck(out, status, nowMs);
    addState(out, status, nowMs);
  }
  return out.text();
}
