import type { SiteObservation } from './report.ts';

/** What another machine's clock shows, as seen from here. */
export interface ClockReading {
  /** By how much it is ahead of ours; negative where it is behind. */
  readonly offsetMs: number;
  /** By how much that may be wrong: half of the time that asking took. */
  readonly uncertaintyMs: number;
}

/** Clocks that are as close as this count as equal: what the network and NTP explain is worth no word. */
export const CLOCK_TOLERANCE_MS = 5_000;

/** The least and the most by which the sites' clocks are ahead of ours, itself among them; uncertainty taken off. */
function certainSpan(observations: readonly SiteObservation[]): {
  leastMs: number;
  mostMs: number;
} {
  const clocks = observations.flatMap(({ clock }) => clock ?? []);
  return {
    leastMs: Math.min(0, ...clocks.map((one) => one.offsetMs + one.uncertaintyMs)),
    mostMs: Math.max(0, ...clocks.map((one) => one.offsetMs - one.uncertaintyMs)),
  };
}

/** How far the sites' clocks and ours are certainly apart. */
export function clocksApartMs(observations: readonly SiteObservation[]): number {
  const { leastMs, mostMs } = certainSpan(observations);
  return mostMs - leastMs;
}

/**
 * How far the slowest of the sites' clocks is behind ours, 0 within the tolerance. Nobody knows which clock the
 * collectors go by. By a clock that is fast, samples in flight look settled, and time that has not come yet looks equal.
 */
export function behindUsMs(observations: readonly SiteObservation[]): number {
  const { leastMs } = certainSpan(observations);
  return -leastMs > CLOCK_TOLERANCE_MS ? -leastMs : 0;
}

/** What time it is for a site: its retention goes by its own clock. Within the tolerance it is ours. */
export function siteNowMs(nowMs: number, { clock }: Pick<SiteObservation, 'clock'>): number {
  if (!clock) return nowMs;
  const certainMs = Math.abs(clock.offsetMs) - clock.uncertaintyMs;
  return certainMs > CLOCK_TOLERANCE_MS ? nowMs + clock.offsetMs : nowMs;
}

/** When it was by our clock what a site dates by its own; where that does not differ certainly, the same. */
export const ourTimeMs = (siteMs: number, site: Pick<SiteObservation, 'clock'>): number =>
  siteMs - siteNowMs(0, site);

/** How far the fastest of the sites' clocks is ahead of ours, 0 within the tolerance. */
export function aheadOfUsMs(observations: readonly SiteObservation[]): number {
  const { mostMs } = certainSpan(observations);
  return mostMs > CLOCK_TOLERANCE_MS ? mostMs : 0;
}
