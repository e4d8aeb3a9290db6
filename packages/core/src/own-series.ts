import { meets, type Selector, scopeOf } from './selector.ts';
import type { Site } from './site.ts';

/** What vm-sync writes about itself: never data, whatever SYNC_MATCH and SYNC_EXCLUDE say. */
export const OWN_SERIES: Selector = [{ label: '__name__', operator: '=~', value: 'vmsync_.+' }];

/** What is compared: `match` without `exclude`, and without what vm-sync writes about itself. */
export function comparedScope(
  match: readonly Selector[],
  exclude: readonly Selector[],
): Selector[] {
  const known = exclude.some((selector) => JSON.stringify(selector) === JSON.stringify(OWN_SERIES));
  const scope = scopeOf(match, known ? exclude : [...exclude, OWN_SERIES]);
  // A name that is asked for exactly cannot be excluded by a pattern in text only.
  return scope.filter((selector) => !namesOwn(selector));
}

const namesOwn = (selector: Selector): boolean =>
  selector.some(
    ({ label, operator, value }) =>
      label === '__name__' && operator === '=' && meets(OWN_SERIES, { __name__: value }),
  );

/** The last `vmsync_identity` sample of one label set: whose VM this is, by whoever wrote it. */
export interface Marker {
  readonly site: Site;
  readonly pair: string;
  /** By the writer's clock. */
  readonly atMs: number;
}

/** The last `vmsync_heartbeat` sample of the vm-sync that stands at `site`. */
export interface Heartbeat {
  readonly site: Site;
  /** Whether it repairs, or is about to. */
  readonly onDuty: boolean;
  /** By the writer's clock. */
  readonly atMs: number;
}

/** What one VM holds of vm-sync's own series. */
export interface OwnSamples {
  readonly markers: readonly Marker[];
  readonly heartbeats: readonly Heartbeat[];
}
