import {
  addTallied,
  type Chunk,
  type Gap,
  mergeWindows,
  NOTHING_TALLIED,
  type PlanLimits,
  planGaps,
  seriesKey,
  subtractWindows,
  type Tallied,
  type Window,
} from '@vm-sync/core';
import type { SliceResult } from './compare-slice.ts';

/** So many gaps are held in memory for one plan; the next check plans the rest. */
const GAPS_MOST = 400_000;

/** How slices were looked at: `sought` finds gaps, `counts` looks again at what is proven, `exact` proves. */
export type Look = 'sought' | 'counts' | 'exact';

/** Collects what slices showed, until there is as much as one plan may hold. */
export class Findings {
  tallied: Tallied = NOTHING_TALLIED;
  readonly #stepMs: number;
  readonly #covered: (gap: Gap) => boolean;
  readonly #slices: SliceResult[] = [];
  #gaps = 0;
  /** Gaps that are not planned; shown all the same, as many as the others. */
  readonly #notPlanned: Gap[] = [];
  #seriesAtOnce: number | undefined;
  readonly #seriesSought = new Map<string, number>();
  readonly #exact: Window[] = [];
  readonly #damaged: Window[] = [];
  readonly #damagedBackward: Window[] = [];
  /** Where what was sought has been added up already. */
  readonly #sought: Window[] = [];
  /** Series with a gap that reaches back to the beginning of the slice before: it may go on in the next. */
  readonly #goingOn = new Map<number, Set<string>>();

  /** `covered` gaps wait for something else and are not planned. */
  constructor(stepMs: number, covered: (gap: Gap) => boolean) {
    this.#stepMs = stepMs;
    this.#covered = covered;
  }

  /** The parts of one slice, all of them. */
  add(window: Window, parts: readonly SliceResult[], look: Look): void {
    if (look === 'exact') this.#exact.push(window);
    if (look === 'sought') this.#sought.push(window);
    const again = look === 'exact' && subtractWindows([window], this.#sought).length === 0;
    let series = 0;
    for (const part of parts) {
      const sums = again ? onlyGaps(part.tallied) : part.tallied;
      series += sums.series;
      const gaps = sums.gaps - this.#continued(part);
      const before = this.tallied.series;
      this.tallied = { ...addTallied(this.tallied, { ...sums, gaps }), series: before };
      this.#damaged.push(...part.damaged);
      this.#damagedBackward.push(...part.damagedBackward);
      const open = part.gaps.filter((gap) => !this.#covered(gap));
      this.#gaps += open.length;
      if (open.length < part.gaps.length) this.#keepNotPlanned(part.gaps);
      // Without gaps it is remembered only where names were counted, for what "all series" means there.
      if (open.length > 0 || part.gaps.length > 0) this.#slices.push({ ...part, gaps: open });
    }
    // Slices are of the same series at other times: the most that were seen at once.
    this.tallied = { ...this.tallied, series: Math.max(this.tallied.series, series) };
    if (look === 'sought') for (const part of parts) this.#countSought(part);
    else this.#noteSeries(parts.reduce((sum, part) => sum + sourceSeries(part), 0));
  }

  /** What is sought in one window comes in parts of different series. */
  #countSought({ present }: SliceResult): void {
    if (!present) return;
    const key = `${present.window.fromMs} ${present.window.toMs}`;
    const series = present.series + (this.#seriesSought.get(key) ?? 0);
    this.#seriesSought.set(key, series);
    this.#noteSeries(series);
  }

  #noteSeries(series: number): void {
    this.#seriesAtOnce = Math.max(this.#seriesAtOnce ?? 0, series);
  }

  /** How many gaps of a part are the older ends of gaps that have been counted: slices come newest first. */
  #continued({ window, gaps }: SliceResult): number {
    const counted = this.#goingOn.get(window.toMs);
    const goingOn = this.#goingOn.get(window.fromMs) ?? new Set();
    let continued = 0;
    for (const gap of gaps) {
      const reachesBack = gap.fromMs === window.fromMs;
      const mayGoOn = gap.toMs === window.toMs && counted !== undefined;
      if (!reachesBack && !mayGoOn) continue;
      const key = seriesKey(gap.labels);
      if (mayGoOn && counted.has(key)) continued += 1;
      if (reachesBack) goingOn.add(key);
    }
    this.#goingOn.set(window.fromMs, goingOn);
    return continued;
  }

  #keepNotPlanned(gaps: readonly Gap[]): void {
    for (const gap of gaps) {
      if (this.#notPlanned.length >= GAPS_MOST) return;
      if (this.#covered(gap)) this.#notPlanned.push(gap);
    }
  }

  /** All gaps that were found, those among them that wait for something else. */
  gaps(): Gap[] {
    return [...this.#slices.flatMap(({ gaps }) => gaps), ...this.#notPlanned];
  }

  /** The chunks that repair what was found. */
  plan(limits: PlanLimits): Chunk[] {
    return planGaps(this.#slices, this.#stepMs, limits);
  }

  isClean(): boolean {
    return this.tallied.gaps === 0;
  }

  /** The most series of the source in one slice; undefined where none was looked at. */
  seriesAtOnce(): number | undefined {
    return this.#seriesAtOnce;
  }

  isFull(): boolean {
    return this.#gaps >= GAPS_MOST;
  }

  forward(): { proven: Window[]; damaged: Window[] } {
    const damaged = mergeWindows(this.#damaged);
    return { proven: subtractWindows(this.#exact, damaged), damaged };
  }

  backward(): { proven: Window[]; damaged: Window[] } {
    const damaged = mergeWindows(this.#damagedBackward);
    return { proven: subtractWindows(this.#exact, damaged), damaged };
  }
}

/** Where all counts agree, names are not counted: every series is one of both sites. */
function sourceSeries({ tallied, names }: SliceResult): number {
  if (tallied.sourceSamples === 0) return 0;
  if (names.size === 0) return tallied.series;
  return [...names.values()].reduce((sum, { series }) => sum + series, 0);
}

const onlyGaps = (tallied: Tallied): Tallied => ({
  ...tallied,
  series: 0,
  sourceSamples: 0,
  destinationSamples: 0,
});
