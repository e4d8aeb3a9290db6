import { aboutSeries } from './about.ts';
import { type Gap, joinGaps } from './compare.ts';
import { halvingMatcher } from './halve-values.ts';
import { formatSelector, meets, type Selector, selectorOf, seriesKey } from './selector.ts';
import { bucketEndsMs, lengthMs, makeWindow, type Window } from './window.ts';

/** What one repair job makes right: every sample of these selectors in this window. */
export interface Chunk {
  /** Selectors as text; no two of a plan meet the same gap. */
  readonly selectors: readonly string[];
  readonly window: Window;
  /** How many series were seen to lack samples, and how many samples they lack at the least. */
  readonly series: number;
  readonly samples: number;
  /** True when the destination had nothing and `samples` is exactly what the source was counted to have. */
  readonly counted?: true | undefined;
  /** What these series have in common, for people: a device, or a metric; absent where they share neither. */
  readonly about?: string | undefined;
}

/** What a comparison of one selector in one window showed. */
export interface ComparedSlice {
  /** The scope that was compared, without what divided it for a server's limits. */
  readonly scope: Selector;
  readonly window: Window;
  /** What the source has there, by metric name. */
  readonly names: ReadonlyMap<string, { readonly series: number; readonly samples: number }>;
  /** How many series of a name there are in its parts, where that is known; `names` has the most of them then. */
  readonly presence?: readonly NamesThere[] | undefined;
  readonly gaps: readonly Gap[];
}

interface NamesThere {
  readonly window: Window;
  readonly series: ReadonlyMap<string, number>;
}

/** Bounds of a plan, each with its reason. */
export interface PlanLimits {
  /** Samples copied whole into an empty stretch by one chunk: about five seconds, by what recent chunks took. */
  readonly samplesPerCopy: number;
  /** Samples of the source in a chunk that is repaired by difference: a worker holds their timestamps, of both sides. */
  readonly samplesPerDifference: number;
  /** Keeps a job's data at some tens of kilobytes, far below the form's limit of 10 MB and 500 tried `match[]`. */
  readonly seriesPerChunk: number;
  /** One flow is one transaction in Redis: 20,000 children blocked it for 0.9 s (measured), 500 are not felt. */
  readonly chunksPerRun: number;
}

export const PLAN_LIMITS: PlanLimits = {
  samplesPerCopy: 15_000_000,
  samplesPerDifference: 1_000_000,
  seriesPerChunk: 200,
  chunksPerRun: 500,
};

/**
 * The chunks of one run, newest first. Series that lack the same stretch of time share a chunk; where all series of a
 * metric name lack it, the name stands for them. Stretches that go on from slice to slice are one: the database stores
 * long runs of a series together, so a long window of few series costs it less than a short one of many. Names whose
 * losses are strewn about are repaired as a whole, slice by slice. No two chunks cover the same series at the same time.
 */
export function planGaps(
  slices: readonly ComparedSlice[],
  stepMs: number,
  limits: PlanLimits,
): Chunk[] {
  const chunks: Chunk[] = [];
  const byScope = Map.groupBy(slices, ({ scope }) => formatSelector(scope));
  for (const ofScope of byScope.values()) {
    const scope = (ofScope[0] as ComparedSlice).scope;
    const planner = new Planner(scope, stepMs, limits, labelsByName(ofScope));
    const orderly = ofScope.map((slice) => {
      const strewn = strewnNames(slice);
      chunks.push(...planner.wholeSlice(slice, strewn));
      return { ...slice, gaps: slice.gaps.filter((gap) => !strewn.has(nameOf(gap))) };
    });
    chunks.push(...planner.stretches(orderly));
  }
  return newestFirst(chunks).slice(0, limits.chunksPerRun);
}

const nameOf = (gap: Gap): string => gap.labels['__name__'] ?? '';

/**
 * Naming a series costs as much as reading about this many samples of both sides (measured: 0.3 ms against 0.8 µs): what
 * lacks more stretches than that is cheaper to repair by reading the whole name.
 */
const SAMPLES_PER_NAMED_STRETCH = 375;

/** Names of which so many single series lack so many different stretches that naming them costs more than reading all. */
function strewnNames(slice: ComparedSlice): Set<string> {
  const strewn = new Set<string>();
  for (const [name, gaps] of Map.groupBy(slice.gaps, nameOf)) {
    const there = slice.names.get(name) ?? { series: 0, samples: 0 };
    let named = 0;
    for (const same of Map.groupBy(gaps, stretchKey).values()) {
      if (same.length !== there.series) named += same.length;
    }
    if (named > 1 && named * SAMPLES_PER_NAMED_STRETCH > there.samples) strewn.add(name);
  }
  return strewn;
}

const stretchKey = ({ fromMs, toMs, held }: Gap): string => `${fromMs} ${toMs} ${held > 0}`;

/** A part of a chunk to be: gaps that one selector stands for. */
interface Piece {
  readonly selector: Selector;
  readonly gaps: readonly Gap[];
  /** What has to be read: of an empty stretch what is missing, otherwise all that the source has. */
  readonly size: number;
}

/** Most names in one chunk: with the scope's own text a job's data stays at some tens of kilobytes. */
const NAMES_PER_CHUNK = 100;

class Planner {
  readonly #scope: Selector;
  readonly #stepMs: number;
  readonly #limits: PlanLimits;
  readonly #labels: ReadonlyMap<string, ReadonlySet<string>>;

  constructor(
    scope: Selector,
    stepMs: number,
    limits: PlanLimits,
    labels: ReadonlyMap<string, ReadonlySet<string>>,
  ) {
    this.#scope = scope;
    this.#stepMs = stepMs;
    this.#limits = limits;
    this.#labels = labels;
  }

  /** Names in the whole of a slice, by difference. */
  wholeSlice(slice: ComparedSlice, names: ReadonlySet<string>): Chunk[] {
    const pieces = [...Map.groupBy(slice.gaps, nameOf)]
      .filter(([name]) => names.has(name))
      .map(([name, gaps]) => {
        const size = slice.names.get(name)?.samples ?? missingOf(gaps);
        return { selector: this.#named(name), gaps, size };
      });
    return this.#packed(pieces, slice.window, false);
  }

  stretches(slices: readonly ComparedSlice[]): Chunk[] {
    const presence = presenceOf(slices);
    const groups = Map.groupBy(
      bucketsOfRareStretches(joinAcross(slices), this.#stepMs),
      stretchKey,
    );
    return [...groups.values()].flatMap((gaps) => this.#group(gaps, presence));
  }

  /** Gaps that share one stretch of time. */
  #group(gaps: readonly Gap[], presence: Presence): Chunk[] {
    const [{ fromMs, toMs, held }] = gaps as [Gap];
    const window = makeWindow(fromMs, toMs);
    const { seriesPerChunk } = this.#limits;
    const whole: Piece[] = [];
    const single: Gap[] = [];
    for (const [name, named] of Map.groupBy(gaps, nameOf)) {
      if (named.length > 1 && isWhole(name, named.length, window, presence)) {
        whole.push({ selector: this.#named(name), gaps: named, size: sizeOf(named) });
      } else single.push(...named);
    }
    const chunks = this.#packed(whole, window, held === 0);
    for (let at = 0; at < single.length; at += seriesPerChunk) {
      const part = single.slice(at, at + seriesPerChunk);
      const selectors = part.map((gap) => formatSelector(this.#exactly(gap)));
      chunks.push(...this.#inTime(selectors, window, part, sizeOf(part), held === 0));
    }
    return chunks;
  }

  /** Pieces of one window, packed into as few chunks as hold at most so many samples each. */
  #packed(pieces: readonly Piece[], window: Window, empty: boolean): Chunk[] {
    const most = this.#most(empty);
    const packs: Piece[][] = [];
    let room = 0;
    for (const piece of pieces.flatMap((one) => halved(one, most))) {
      const pack = packs.at(-1);
      if (pack && piece.size <= room && pack.length < NAMES_PER_CHUNK) pack.push(piece);
      else {
        packs.push([piece]);
        room = most;
      }
      room -= piece.size;
    }
    return packs.flatMap((pack) => {
      const selectors = pack.map(({ selector }) => formatSelector(selector));
      const gaps = pack.flatMap((piece) => piece.gaps);
      const size = pack.reduce((sum, piece) => sum + piece.size, 0);
      return this.#inTime(selectors, window, gaps, size, empty);
    });
  }

  /** One chunk for a stretch, or several of equal length when it holds more samples than a chunk may. */
  #inTime(
    selectors: readonly string[],
    window: Window,
    gaps: readonly Gap[],
    size: number,
    empty: boolean,
  ): Chunk[] {
    const most = this.#most(empty);
    const samples = missingOf(gaps);
    const about = aboutSeries(gaps.map(({ labels }) => labels));
    const ends = bucketEndsMs(window, this.#stepMs);
    const pieces = Math.min(ends.length, Math.ceil(size / most)) || 1;
    const chunks: Chunk[] = [];
    let fromMs = window.fromMs;
    for (let piece = 1; piece <= pieces; piece++) {
      const toMs = window.fromMs + Math.round((ends.length * piece) / pieces) * this.#stepMs;
      const part = makeWindow(fromMs, piece === pieces ? window.toMs : toMs);
      const share = lengthMs(part) / lengthMs(window);
      chunks.push({
        selectors,
        window: part,
        series: new Set(gaps.map(({ labels }) => labels)).size,
        samples: Math.ceil(samples * share),
        ...(pieces === 1 && empty ? { counted: true as const } : {}),
        ...(about === undefined ? {} : { about }),
      });
      fromMs = part.toMs;
    }
    return chunks;
  }

  #most(empty: boolean): number {
    return empty ? this.#limits.samplesPerCopy : this.#limits.samplesPerDifference;
  }

  #named(name: string): Selector {
    return [{ label: '__name__', operator: '=', value: name }, ...this.#scope];
  }

  /**
   * The labels as equalities, no other label that series of this name have, and the negative matchers of the scope:
   * otherwise a longer series that has these labels too would be selected as well.
   */
  #exactly(gap: Gap): Selector {
    const { labels } = gap;
    const others = [...(this.#labels.get(nameOf(gap)) ?? [])].filter(
      (label) => !Object.hasOwn(labels, label),
    );
    return [
      ...selectorOf(labels),
      ...others.map((label) => ({ label, operator: '=' as const, value: '' })),
      ...this.#scope.filter((matcher) => !Object.hasOwn(labels, matcher.label)),
    ];
  }
}

/** The labels that occur in gaps, by metric name. */
function labelsByName(slices: readonly ComparedSlice[]): Map<string, Set<string>> {
  const found = new Map<string, Set<string>>();
  for (const { gaps } of slices) {
    for (const gap of gaps) {
      const labels = found.get(nameOf(gap)) ?? new Set();
      found.set(nameOf(gap), labels);
      for (const label of Object.keys(gap.labels)) labels.add(label);
    }
  }
  return found;
}

/** How many series of a name the source has, slice by slice. */
type Presence = ReadonlyMap<
  string,
  readonly { readonly window: Window; readonly series: number }[]
>;

function presenceOf(slices: readonly ComparedSlice[]): Presence {
  const wanted = new Set(slices.flatMap(({ gaps }) => gaps.map(nameOf)));
  // Parts of one slice, which a server's limits divided, are counted together.
  const series = new Map<string, Map<string, { window: Window; series: number }>>();
  for (const { window, series: there } of slices.flatMap(namesThere)) {
    for (const [name, count] of there) {
      if (!wanted.has(name)) continue;
      const byWindow = series.get(name) ?? new Map();
      series.set(name, byWindow);
      const key = `${window.fromMs} ${window.toMs}`;
      const before = byWindow.get(key)?.series ?? 0;
      byWindow.set(key, { window, series: before + count });
    }
  }
  return new Map([...series].map(([name, byWindow]) => [name, [...byWindow.values()]]));
}

const namesThere = ({ window, names, presence }: ComparedSlice): readonly NamesThere[] =>
  presence ?? [{ window, series: new Map([...names].map(([name, { series }]) => [name, series])) }];

/** True when these are all the series of their name that the source has in the window: in every slice just as many. */
const isWhole = (name: string, gaps: number, window: Window, presence: Presence): boolean =>
  (presence.get(name) ?? []).every(
    (there) =>
      there.window.toMs <= window.fromMs ||
      window.toMs <= there.window.fromMs ||
      there.series === gaps,
  );

/** Every series' gaps, joined where one goes on in the next slice. */
function joinAcross(slices: readonly ComparedSlice[]): Gap[] {
  const oldestFirst = slices
    .flatMap(({ gaps }) => gaps)
    .sort((a, b) => a.fromMs - b.fromMs || a.toMs - b.toMs);
  const open = new Map<string, Gap>();
  const joined: Gap[] = [];
  for (const gap of oldestFirst) {
    const key = seriesKey(gap.labels);
    const before = open.get(key);
    const one = before && joinGaps(before, gap);
    if (before && !one) joined.push(before);
    open.set(key, one ?? gap);
  }
  return [...joined, ...open.values()];
}

/** From so many different stretches on, those that few series share are looked at bucket by bucket. */
const STRETCHES_MANY = 100;
const SHARED_BY_FEW = 10;
const BUCKETS_FEW = 24;

/** Scattered losses make as many stretches as there are ways to lose; buckets are fewer, and shared by more series. */
function bucketsOfRareStretches(gaps: readonly Gap[], stepMs: number): Gap[] {
  const groups = Map.groupBy(gaps, stretchKey);
  if (groups.size <= STRETCHES_MANY) return [...gaps];
  return [...groups.values()].flatMap((same) => {
    const [{ fromMs, toMs }] = same as [Gap];
    const short = (toMs - fromMs) / stepMs <= BUCKETS_FEW;
    return short && same.length < SHARED_BY_FEW
      ? same.flatMap((gap) => byBucket(gap, stepMs))
      : same;
  });
}

/** A gap bucket by bucket; what it lacks and holds is shared out evenly. */
function byBucket(gap: Gap, stepMs: number): Gap[] {
  const ends = bucketEndsMs(makeWindow(gap.fromMs, gap.toMs), stepMs);
  const missing = gap.missing / ends.length;
  const held = gap.held / ends.length;
  return ends.map((toMs) => ({ labels: gap.labels, fromMs: toMs - stepMs, toMs, missing, held }));
}

const labelOf = ({ labels }: Gap, label: string): string =>
  (Object.hasOwn(labels, label) && labels[label]) || '';

/** A piece in halves by the values of some label, until each holds few enough samples or no label tells them apart. */
function halved(piece: Piece, most: number): Piece[] {
  if (piece.size <= most || piece.gaps.length < 2) return [piece];
  const labels = new Set(piece.gaps.flatMap((gap) => Object.keys(gap.labels)));
  labels.delete('__name__');
  for (const label of labels) {
    const values = [...new Set(piece.gaps.map((gap) => labelOf(gap, label)))].sort();
    if (values.length < 2 || values.includes('')) continue;
    const matcher = halvingMatcher(label, values);
    if (!matcher) continue;
    const { true: one = [], false: other = [] } = Object.groupBy(piece.gaps, (gap) =>
      meets([matcher], gap.labels) ? 'true' : 'false',
    );
    if (Math.min(one.length, other.length) < piece.gaps.length / 4) continue;
    // The second half is whatever the first is not: together they are the whole piece, seen or not.
    const share = (gaps: readonly Gap[]) => (piece.size * gaps.length) / piece.gaps.length;
    return [
      { selector: [matcher, ...piece.selector], gaps: one, size: share(one) },
      {
        selector: [{ ...matcher, operator: '!~' as const }, ...piece.selector],
        gaps: other,
        size: share(other),
      },
    ].flatMap((half) => halved(half, most));
  }
  return [piece];
}

/** Newest first: dashboards look at the last hours, and a repair that is cut short has then done the most useful part. */
export const newestFirst = (chunks: readonly Chunk[]): Chunk[] =>
  [...chunks].sort((a, b) => b.window.toMs - a.window.toMs || b.samples - a.samples);

const missingOf = (gaps: readonly Gap[]): number =>
  gaps.reduce((total, gap) => total + gap.missing, 0);

const sizeOf = (gaps: readonly Gap[]): number =>
  gaps.reduce((total, gap) => total + gap.missing + gap.held, 0);
