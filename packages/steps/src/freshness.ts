import {
  errorText,
  escapeRegex,
  formatSelector,
  freshnessWitness,
  makeWindow,
  type NewestSample,
  type Selector,
  type Site,
  type Witness,
} from '@vm-sync/core';
import type { SiteDatabase } from './ports.ts';

/** What decides how much fresher one site's data must be to mean something. */
export interface FreshnessSettings {
  readonly scope: readonly Selector[];
  readonly stepMs: number;
  readonly settleMs: number;
}

export interface FreshnessContext {
  readonly sites: Readonly<Record<Site, SiteDatabase>>;
  readonly signal?: AbortSignal | undefined;
}

/** A site that writes has samples of so long ago; only of one that has none, more is read. */
const NARROW_MS = 300_000;

/** A few metric names say as well as all that a site writes, where they do: of 100,000 series that saves a tenth of a check. */
const NAMES_ASKED = 3;

/** So young is the newest sample of a site that is written to; where a few names have none, all are asked. */
const WRITTEN_MS = 90_000;

/** So far back the newest sample is looked for, at the least. */
const WIDE_MS = 3_600_000;

/**
 * Asks both databases for their newest sample. What differs by less than the settle time and two buckets is in flight, or
 * the clocks differ. That a site cannot say is no failure of the check: others look at the samples themselves.
 */
export async function lookAtFreshness(
  context: FreshnessContext,
  { scope, stepMs, settleMs }: FreshnessSettings,
  nowMs: number,
): Promise<Witness> {
  const toleranceMs = settleMs + 2 * stepMs;
  const wideMs = Math.max(WIDE_MS, 2 * toleranceMs);
  const selectors = scope.map(formatSelector);
  const newestOf = async (site: Site): Promise<NewestSample> => {
    const { sites, signal } = context;
    const within = (lengthMs: number) =>
      sites[site].newestSample({ selectors, window: makeWindow(nowMs - lengthMs, nowMs), signal });
    try {
      const ofFew = await newestOfFew(sites[site], scope, nowMs, signal).catch(() => null);
      signal?.throwIfAborted();
      if (ofFew !== null && nowMs - ofFew <= WRITTEN_MS) return ofFew;
      return (await within(NARROW_MS)) ?? (await within(wideMs));
    } catch (error) {
      if (signal?.aborted) throw error;
      return { failed: errorText(error) };
    }
  };
  const [primary, dr] = await Promise.all([newestOf('primary'), newestOf('dr')]);
  return freshnessWitness({ primary, dr }, { fromMs: nowMs - wideMs, toMs: nowMs, toleranceMs });
}

/** The newest sample of a few names; null where there is none, also where names cannot be listed. */
async function newestOfFew(
  database: SiteDatabase,
  scope: readonly Selector[],
  nowMs: number,
  signal: AbortSignal | undefined,
): Promise<number | null> {
  const [first] = scope;
  if (!first) return null;
  const window = makeWindow(nowMs - NARROW_MS, nowMs);
  const names = await database.labelValues('__name__', {
    selector: formatSelector(first),
    window,
    signal,
  });
  const apart = Math.max(1, Math.floor(names.length / NAMES_ASKED));
  const few = names.filter((_, at) => at % apart === 0).slice(0, NAMES_ASKED);
  if (few.length === 0) return null;
  const value = few.map(escapeRegex).join('|');
  const selectors = scope.map((selector) =>
    formatSelector([{ label: '__name__', operator: '=~', value }, ...selector]),
  );
  return database.newestSample({ selectors, window, signal });
}
