import { filterSamples, makeSeries, type Series } from '@vm-sync/testkit';
import { lastMinuteMs, minute, without } from './data.ts';

export type Loss = { all: Series[]; left: Series[]; lost: Series[] };

/** One sample a minute up to now, the same without those of between `from` and `to` minutes ago, and these. */
export function recentLoss({
  count = 100,
  minutes = 60,
  from = 40,
  to = 20,
  labels = {},
}: {
  count?: number;
  minutes?: number;
  from?: number;
  to?: number;
  labels?: Record<string, string>;
} = {}): Loss {
  const nowMs = lastMinuteMs();
  const all = makeSeries({
    count,
    names: ['f5_requests_total', 'f5_connections'],
    fromMs: nowMs - minutes * minute,
    toMs: nowMs,
    stepMs: minute,
    labels,
  });
  const [fromMs, toMs] = [nowMs - from * minute, nowMs - to * minute];
  return {
    all,
    left: without(all, fromMs, toMs),
    lost: filterSamples(all, (at) => at > fromMs && at <= toMs),
  };
}
