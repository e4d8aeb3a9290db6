import {
  axisWindow,
  directionKey,
  escapeRegex,
  formatSelector,
  type Gap,
  type GapMap,
  type GapMapAxis,
  gapMapAxis,
  gapMapOf,
  gapsByGroup,
  namedGroups,
  type Selector,
  type SourceCounts,
  type Window,
} from '@vm-sync/core';
import type { Comparison } from './compare-windows.ts';
import type { SiteDatabase } from './ports.ts';

/** The map is for showing: its questions may take this long together, and no check fails by them. */
const QUESTIONS_MS = 10_000;

/** Over more samples of the source they would take from the repair that has begun meanwhile. */
const QUESTIONS_SAMPLES = 20_000_000;

/**
 * The map of what a check found, over `last` and the time of all the gaps. It asks the source how much there should be, by group; without an
 * answer, and where `samples` of it are too many, the map knows of the series with a gap only. Undefined where nothing is
 * missing: then nothing is asked.
 */
export async function drawGapMap(
  comparison: Comparison,
  { gaps, samples }: { readonly gaps: readonly Gap[]; readonly samples: number },
  last: Window,
  labels: readonly string[],
  atMs: number,
): Promise<GapMap | undefined> {
  if (gaps.length === 0) return undefined;
  const { pair, measure, scope, signal } = comparison;
  const axis = gapMapAxis([last, ...gaps], measure.stepMs);
  const direction = directionKey(pair.direction);
  const ofAffected = () => {
    const label = labels.find((one) => areOn(one, gaps)) ?? '__name__';
    const found = gapsByGroup(gaps, axis, label);
    return gapMapOf({ atMs, direction, label, ...axis }, found, namedGroups(found, []), undefined);
  };
  if (samples > QUESTIONS_SAMPLES) return ofAffected();
  const brief = AbortSignal.any([AbortSignal.timeout(QUESTIONS_MS), ...(signal ? [signal] : [])]);
  const source = new Source(pair.source, scope, axis, brief);
  try {
    const { label, values } = await usefulLabel(source, gaps, labels);
    const about = { atMs, direction, label, ...axis };
    const found = gapsByGroup(gaps, axis, label);
    const named = namedGroups(found, values);
    return gapMapOf(about, found, named, await source.count(label, named));
  } catch {
    signal?.throwIfAborted();
    return ofAffected();
  }
}

/** The first label that the series with a gap have and that tells groups apart; the metric name where none does. */
async function usefulLabel(
  source: Source,
  gaps: readonly Gap[],
  labels: readonly string[],
): Promise<{ label: string; values: readonly string[] }> {
  for (const label of labels) {
    if (!areOn(label, gaps)) continue;
    const values = await source.valuesOf(label);
    if (values.length > 1) return { label, values };
  }
  return { label: '__name__', values: [] };
}

/** Most of them is enough: a few odd series should not change what the map is about. */
const MOST = 0.9;

const areOn = (label: string, gaps: readonly Gap[]): boolean =>
  gaps.filter(({ labels }) => labels[label] !== undefined).length >= MOST * gaps.length;

/** What the source says of the map's time. */
class Source {
  readonly #database: SiteDatabase;
  readonly #scope: readonly Selector[];
  readonly #axis: GapMapAxis;
  readonly #signal: AbortSignal;

  constructor(
    database: SiteDatabase,
    scope: readonly Selector[],
    axis: GapMapAxis,
    signal: AbortSignal,
  ) {
    this.#database = database;
    this.#scope = scope;
    this.#axis = axis;
    this.#signal = signal;
  }

  async valuesOf(label: string): Promise<string[]> {
    const asked = this.#scope.map((selector) =>
      this.#database.labelValues(label, {
        selector: formatSelector(selector),
        window: axisWindow(this.#axis),
        signal: this.#signal,
      }),
    );
    return [...new Set((await Promise.all(asked)).flat())];
  }

  async count(label: string, groups: readonly string[]): Promise<SourceCounts> {
    const value = groups.map(escapeRegex).join('|');
    const named = this.#scope.map((selector) => [
      { label, operator: '=~' as const, value },
      ...selector,
    ]);
    const byGroup = await this.#sum(label, named);
    const total = (await this.#sum(undefined, this.#scope)).get('');
    return { byGroup, total: total ?? new Float64Array(this.#axis.columns) };
  }

  /** Selectors are added up, as in every comparison. */
  async #sum(
    label: string | undefined,
    selectors: readonly Selector[],
  ): Promise<Map<string, Float64Array>> {
    const { columnMs: stepMs } = this.#axis;
    const request = { window: axisWindow(this.#axis), stepMs, signal: this.#signal };
    const sums = new Map<string, Float64Array>();
    for (const selector of selectors) {
      const asked = { ...request, selector: formatSelector(selector) };
      for (const [group, counts] of await this.#database.countsBy(label, asked)) {
        const known = sums.get(group);
        sums.set(group, known ? counts.map((count, at) => count + (known[at] as number)) : counts);
      }
    }
    return sums;
  }
}
