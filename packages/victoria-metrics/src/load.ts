import { errorKind, escapeRegex, formatSelector, type SiteLoad, type Slots } from '@vm-sync/core';
import type { Endpoint } from './endpoint.ts';
import { metricNames } from './labels.ts';
import { metricNumber, readMetrics } from './observe.ts';

/** A site that takes longer for its small query is no less than overloaded. */
const PROBE_MOST_MS = 5_000;

/** Names come and go slowly, and any that has data will do. */
const NAMES_FOR_MS = 600_000;
const NAMES = 4;
const HOUR_MS = 3_600_000;

/**
 * Finds out how loaded one site is: by what its `/metrics` says, and by how long a small query takes. The query counts
 * the last hour of a few metrics, because one that touches no data says little: while three exports ran, `1` took 18 ms
 * instead of 2 and the count of one metric 54 ms instead of 4; a count of everything tells more still (320 ms), but
 * its cost grows with the site (measured).
 */
export class LoadProbe {
  readonly #endpoint: Endpoint;
  #names: { readonly list: readonly string[]; readonly atMs: number } | undefined;

  constructor(endpoint: Endpoint) {
    this.#endpoint = endpoint;
  }

  /** Throws a `VmSyncError` when the query is not answered. */
  async look(signal?: AbortSignal): Promise<SiteLoad> {
    // First, so that what is measured below is a query and not the opening of a connection.
    const metrics = await readMetrics(this.#endpoint, signal);
    const names = await this.#someNames(signal);
    const startedMs = performance.now();
    await this.#endpoint.text({
      act: 'query',
      method: 'POST',
      path: '/api/v1/query',
      form: new URLSearchParams({ query: countOf(names), nocache: '1', timeout: '5s' }),
      signal,
      silenceMs: PROBE_MOST_MS,
    });
    const latencyMs = performance.now() - startedMs;
    const value = (name: string) => metricNumber(this.#endpoint, metrics, name);
    const slots = (what: string) =>
      slotsOf(value(`vm_concurrent_${what}_current`), value(`vm_concurrent_${what}_capacity`));
    return {
      latencyMs,
      inserts: slots('insert'),
      selects: slots('select'),
      waits: sum(
        value('vm_concurrent_insert_limit_reached_total'),
        value('vm_concurrent_select_limit_reached_total'),
      ),
      pendingRows: value('vm_pending_rows'),
      rows: value('vm_rows_added_to_storage_total'),
      slowRows: value('vm_slow_row_inserts_total'),
      freeBytes: value('vm_free_disk_space_bytes'),
      keptFreeBytes: value('vm_free_disk_space_limit_bytes'),
      readOnly: truth(value('vm_storage_is_read_only')),
    };
  }

  /** None where there are none yet, or a proxy does not say. */
  async #someNames(signal: AbortSignal | undefined): Promise<readonly string[]> {
    const nowMs = Date.now();
    if (this.#names && nowMs - this.#names.atMs < NAMES_FOR_MS) return this.#names.list;
    const window = { fromMs: nowMs - HOUR_MS, toMs: nowMs };
    try {
      const list = spread(await metricNames(this.#endpoint, window, signal), NAMES);
      // An empty database is about to be filled: it is asked again the next time.
      if (list.length > 0) this.#names = { list, atMs: nowMs };
      return list;
    } catch (error) {
      if (errorKind(error) !== 'final') throw error;
      this.#names = { list: [], atMs: nowMs };
      return [];
    }
  }
}

function countOf(names: readonly string[]): string {
  const value = names.length === 0 ? 'up' : names.map(escapeRegex).join('|');
  const selector = formatSelector([{ label: '__name__', operator: '=~', value }]);
  return `sum(count_over_time(${selector}[1h]))`;
}

/** So many of a list, as far apart as can be: neighbours tend to be the buckets of one histogram. */
const spread = <T>(list: readonly T[], most: number): T[] => {
  const apart = Math.max(1, list.length / most);
  return list
    .filter((_, at) => Math.floor(at / apart) !== Math.floor((at - 1) / apart))
    .slice(0, most);
};

const slotsOf = (used: number | undefined, capacity: number | undefined): Slots | undefined =>
  used === undefined || capacity === undefined ? undefined : { used, capacity };

const sum = (a: number | undefined, b: number | undefined): number | undefined =>
  a === undefined || b === undefined ? undefined : a + b;

const truth = (value: number | undefined): boolean | undefined =>
  value === undefined ? undefined : value > 0;
