import { filterSamples, makeSeries, type Series } from '@vm-sync/testkit';

export const second = 1_000;
export const minute = 60_000;
export const hour = 3_600_000;

/** The last whole minute: everything up to it is settled soon. */
export const lastMinuteMs = (): number => Math.floor(Date.now() / minute) * minute;

/** What a monitored pair holds: 100 series of four metrics, a sample a minute, up to the last whole minute. */
export function usualSeries(nowMs: number, lengthMs: number): Series[] {
  return makeSeries({
    count: 100,
    names: ['cpu_seconds_total', 'memory_bytes', 'http_requests_total', 'up'],
    fromMs: nowMs - lengthMs,
    toMs: nowMs,
    stepMs: minute,
    jitterMs: 700,
  });
}

/** The samples outside of (fromMs, toMs]. */
export const without = (series: readonly Series[], fromMs: number, toMs: number): Series[] =>
  filterSamples(series, (at) => at <= fromMs || at > toMs);

/** Repeatable: about `share` of the samples, another choice for every series. */
export function someOf(series: readonly Series[], share: number): Series[] {
  let seed = 0x2545f491;
  return filterSamples(series, () => {
    seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0;
    return seed / 2 ** 32 < share;
  });
}
