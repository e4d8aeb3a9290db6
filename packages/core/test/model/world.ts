import {
  type DirectionKey,
  directionFrom,
  directionKey,
  otherSite,
  SITES,
  type Site,
  type SiteObservation,
  type Window,
} from '../../src/index.ts';

/**
 * The world that the model plays in: two sites that hold samples, what their disks have of them, and the true time. It
 * knows nothing of vm-sync.
 */

export const STEP_MS = 600_000;
export const QUERY_WINDOW_MS = 6 * STEP_MS;
export const SETTLE_MS = 180_000;
export const DAY_MS = 86_400_000;
/** The collectors take a sample of each series so often: three in a bucket. */
export const EVERY_MS = 200_000;
/** In the middle of a day; what the sites hold at first goes back into the day before. */
export const BEGIN_MS = 20_000 * DAY_MS + 10 * 3_600_000;
const OLD_MS = 14 * 3_600_000;

export const SERIES = ['a', 'b'] as const;
export type Series = (typeof SERIES)[number];

export interface Sample {
  readonly series: Series;
  readonly atMs: number;
}

/** A sample that one site has and the other lacks, and since when. */
export interface Difference extends Sample {
  readonly sinceMs: number;
}

type Held = Record<Series, Set<number>>;

const nothingHeld = (): Held => ({ a: new Set(), b: new Set() });
const copyOf = (held: Held): Held => ({ a: new Set(held.a), b: new Set(held.b) });

export interface ModelSite {
  held: Held;
  /** What was accepted lately, and when: a kill forgets the last seconds of it. */
  recent: { readonly sample: Sample; readonly atMs: number; readonly runId: string | null }[];
  startedMs: number;
  readonly retentionMs: number;
  maxBackfillAgeMs: number | undefined;
  backup: Held;
  /** True while no collector reaches it. */
  cutOff: boolean;
}

/** What a kill of its destination took from a run: samples that were read back, and may have been proven. */
export interface Forgotten extends Sample {
  readonly runId: string;
  readonly restartedMs: number;
}

const RECENT_MS = 3_600_000;

export class World {
  nowMs = BEGIN_MS;
  /** By how much vm-sync's clock is ahead. */
  skewMs = 0;
  /** The most by which that clock was set back at once, to be late by; an hour or more shows by itself. */
  setBackMs = 0;
  readonly sites: Record<Site, ModelSite>;
  readonly forgotten: Record<Site, Forgotten[]> = { primary: [], dr: [] };
  /** True when samples went from where vm-sync had brought some, and no restart tells of it: the gap may look stuck. */
  hasLied = false;
  readonly #brought = new Set<string>();
  /** Every restart, when it happened. */
  readonly restarts: Record<Site, number[]> = { primary: [], dr: [] };
  readonly #differences: Record<DirectionKey, Map<string, Difference>> = {
    'primary-to-dr': new Map(),
    'dr-to-primary': new Map(),
  };
  /** In the order of time, until something changes. */
  readonly #sorted: Record<Site, Partial<Record<Series, number[]>>> = { primary: {}, dr: {} };

  constructor() {
    const site = (): ModelSite => ({
      held: nothingHeld(),
      recent: [],
      startedMs: 1,
      retentionMs: 200 * DAY_MS,
      maxBackfillAgeMs: undefined,
      backup: nothingHeld(),
      cutOff: false,
    });
    this.sites = { primary: site(), dr: site() };
    for (const name of SITES) {
      for (const sample of grid(BEGIN_MS - OLD_MS, BEGIN_MS)) this.#put(name, sample);
      this.sites[name].backup = copyOf(this.sites[name].held);
    }
  }

  /** What vm-sync's machine takes for the time. */
  get clockMs(): number {
    return this.nowMs + this.skewMs;
  }

  /** True when what was noted may be of another time than it says. */
  clockWasSet = false;

  setClock(aheadMs: number): void {
    this.clockWasSet ||= aheadMs !== this.skewMs;
    this.setBackMs = Math.max(this.setBackMs, Math.min(this.skewMs - aheadMs, 3_600_000));
    this.skewMs = aheadMs;
  }

  /** Time passes, and the collectors go on. */
  pass(ms: number): void {
    const fromMs = this.nowMs;
    this.nowMs += ms;
    for (const name of SITES) {
      const site = this.sites[name];
      if (!site.cutOff) for (const sample of grid(fromMs, this.nowMs)) this.#put(name, sample);
      site.recent = site.recent.filter(({ atMs }) => this.nowMs - atMs < RECENT_MS);
    }
  }

  /** A sample of the collector is accepted when it is taken. */
  #put(name: Site, sample: Sample): void {
    this.#set(name, sample, true);
    if (this.nowMs - sample.atMs >= RECENT_MS) return;
    this.sites[name].recent.push({ sample, atMs: sample.atMs, runId: null });
  }

  /** The one place where a site comes to hold a sample or loses it; notes since when the sites differ there. */
  #set(name: Site, { series, atMs }: Sample, isHeld: boolean): boolean {
    const held = this.sites[name].held[series];
    if (held.has(atMs) === isHeld) return false;
    if (isHeld) held.add(atMs);
    else held.delete(atMs);
    delete this.#sorted[name][series];
    const there = this.sites[otherSite(name)].held[series].has(atMs);
    const [lacking, surplus] = [
      this.#differences[directionKey(directionFrom(otherSite(name)))],
      this.#differences[directionKey(directionFrom(name))],
    ];
    const id = `${series} ${atMs}`;
    const difference = { series, atMs, sinceMs: this.nowMs };
    if (isHeld) lacking.delete(id);
    else if (there) lacking.set(id, difference);
    if (!isHeld) surplus.delete(id);
    else if (!there) surplus.set(id, difference);
    return true;
  }

  /** An import of vm-sync. */
  accept(name: Site, samples: readonly Sample[], runId: string): void {
    for (const sample of samples) {
      this.#set(name, sample, true);
      this.#brought.add(broughtTo(name, sample));
      this.sites[name].recent.push({ sample, atMs: this.nowMs, runId });
    }
  }

  /** Samples that come to one site only, or hours late. */
  add(name: Site, sample: Sample): void {
    this.#set(name, sample, true);
    this.sites[name].recent.push({ sample, atMs: this.nowMs, runId: null });
  }

  lose(name: Site, samples: readonly Sample[]): void {
    for (const sample of samples) {
      this.#set(name, sample, false);
      this.hasLied ||= this.#brought.has(broughtTo(name, sample));
    }
  }

  /** A kill: what was accepted within the last `forgetMs` is gone. */
  restart(name: Site, forgetMs: number): void {
    const site = this.sites[name];
    for (const { sample, atMs, runId } of site.recent) {
      if (this.nowMs - atMs >= forgetMs) continue;
      if (!this.#set(name, sample, false) || runId === null) continue;
      this.forgotten[name].push({ ...sample, runId, restartedMs: this.nowMs });
    }
    site.recent = site.recent.filter(({ atMs }) => this.nowMs - atMs >= forgetMs);
    site.startedMs = this.nowMs;
    this.restarts[name].push(this.nowMs);
  }

  keepBackup(name: Site): void {
    this.sites[name].backup = copyOf(this.sites[name].held);
  }

  /** A database that comes back from a backup, or empty. */
  replace(name: Site, by: 'backup' | 'nothing'): void {
    const site = this.sites[name];
    const kept = by === 'backup' ? site.backup : nothingHeld();
    for (const series of SERIES) {
      for (const atMs of new Set([...site.held[series], ...kept[series]])) {
        this.#set(name, { series, atMs }, kept[series].has(atMs));
      }
    }
    site.recent = [];
    this.restart(name, 0);
  }

  /** What a site holds of a series in a window, in the order of time. */
  samplesIn(name: Site, series: Series, { fromMs, toMs }: Window): number[] {
    const known = this.#sorted[name];
    known[series] ??= [...this.sites[name].held[series]].sort((a, b) => a - b);
    const sorted = known[series];
    return sorted.slice(firstAfter(sorted, fromMs), firstAfter(sorted, toMs));
  }

  /** What the source of a direction has and its destination lacks. */
  lacking(key: DirectionKey): ReadonlyMap<string, Difference> {
    return this.#differences[key];
  }

  /** What a site says of itself when it is asked. Its clock is right. */
  observe(name: Site): SiteObservation {
    const { startedMs, retentionMs, maxBackfillAgeMs } = this.sites[name];
    return {
      site: name,
      url: `http://${name}.example`,
      startedMs,
      dedupMs: 0,
      retentionMs,
      maxBackfillAgeMs,
      readOnly: false,
      clock: { offsetMs: -this.skewMs, uncertaintyMs: 5 },
    };
  }
}

/** A chunk covers as much time as a slice: within it one loss may look like another. */
const broughtTo = (name: Site, { series, atMs }: Sample): string =>
  `${name} ${series} ${Math.ceil(atMs / (24 * STEP_MS))}`;

/** Where in a sorted list the first one after an instant stands. */
function firstAfter(sorted: readonly number[], atMs: number): number {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((sorted[middle] as number) <= atMs) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The collectors' samples in `(fromMs, toMs]`. */
export function* grid(fromMs: number, toMs: number): Generator<Sample> {
  const first = Math.floor((fromMs - 7_000) / EVERY_MS) + 1;
  for (let atMs = first * EVERY_MS + 7_000; atMs <= toMs; atMs += EVERY_MS) {
    for (const series of SERIES) yield { series, atMs };
  }
}

export const bucketEnd = (atMs: number): number => Math.ceil(atMs / STEP_MS) * STEP_MS;

export const bucketOf = (atMs: number): Window => ({
  fromMs: bucketEnd(atMs) - STEP_MS,
  toMs: bucketEnd(atMs),
});

export const within = (atMs: number, windows: readonly Window[]): boolean =>
  windows.some(({ fromMs, toMs }) => atMs > fromMs && atMs <= toMs);

/** No repair reaches what is older: the retention's and the acceptance's margins, as docs/verification.md names them. */
export function edgeOf(world: World, source: Site): number {
  const destination = otherSite(source);
  const ages: number[] = [];
  for (const site of [source, destination]) {
    ages.push(world.sites[site].retentionMs - DAY_MS);
  }
  const accepted = world.sites[destination].maxBackfillAgeMs;
  if (accepted !== undefined) ages.push(accepted - Math.min(DAY_MS, accepted / 10));
  return bucketEnd(world.nowMs - Math.min(...ages));
}
