import {
  type CountedSurplus,
  errorText,
  mergeWindows,
  reverse,
  type Surplus,
  type SurplusFound,
  seriesKey,
  subtractWindows,
  type Window,
} from '@vm-sync/core';
import type { SliceResult } from './compare-slice.ts';
import { type Comparison, compareWindows } from './compare-windows.ts';
import type { Findings } from './findings.ts';

/** Time in which only the passive site may hold samples, as a check is given it. */
export interface SurplusQuestion {
  /** Oldest first; nobody is copying there now. */
  readonly open: readonly Window[];
  /** What of it is to be recovered, and is therefore looked at in every check. */
  readonly wanted: readonly Window[];
  readonly known: Surplus;
  readonly nowMs: number;
  /** True when the time of this look is up. */
  readonly mustEnd: () => Promise<boolean>;
}

/** What a look brought. */
export interface SurplusLook extends Pick<SurplusFound, 'compared' | 'counted' | 'failed'> {
  readonly proven: readonly Window[];
}

/** What has been counted is counted again after so long: samples may have come late, or from elsewhere. */
const AGAIN_AFTER_MS = 600_000;

/**
 * The comparison that finds what only the passive site has: the same as the forward one, with the sites in each other's
 * place, and exact to the sample.
 */
export function backwards({ pair, scope, measure, signal }: Comparison): Comparison {
  return {
    pair: {
      direction: reverse(pair.direction),
      source: pair.destination,
      destination: pair.source,
    },
    scope,
    measure: { ...measure, threshold: 1, byRows: true },
    signal,
  };
}

/**
 * Counts what only the passive site has in open time, newest first, until the time is up: what nobody has counted yet
 * first, then what was counted longest ago. `found` takes the gaps of wanted windows, to be planned. A failure ends the look
 * and nothing else: what was not compared stays open.
 */
export async function findSurplus(
  comparison: Comparison,
  question: SurplusQuestion,
  found: Findings,
): Promise<SurplusLook> {
  const { nowMs } = question;
  const compared: Window[] = [];
  const counted: CountedSurplus[] = [];
  const damaged: Window[] = [];
  const done = (failed: string | null): SurplusLook => {
    const proven = subtractWindows(compared, damaged);
    return { compared, counted, proven, failed };
  };
  try {
    for (const windows of inOrder(question)) {
      for await (const { window, parts } of compareWindows(comparison, windows, 'exact')) {
        compared.push(window);
        damaged.push(...parts.flatMap((part) => part.damaged));
        const one = countSurplus(parts, nowMs);
        if (one) counted.push(one);
        if (subtractWindows([window], question.wanted).length === 0) {
          found.add(window, parts, 'exact');
        }
        if (found.isFull() || (await question.mustEnd())) return done(null);
      }
    }
    return done(null);
  } catch (error) {
    if (comparison.signal?.aborted) throw error;
    return done(errorText(error));
  }
}

/** Lists of windows, one to be compared after the other. */
function inOrder({ open, wanted, known, nowMs }: SurplusQuestion): Window[][] {
  const countedWindows = known.counted.flatMap(({ windows }) => windows);
  const uncounted = subtractWindows(open, countedWindows);
  const again = known.counted
    .map(({ windows, countedMs }) => ({
      countedMs,
      wanted: mergeWindows(windows.flatMap((window) => within(window, wanted))),
      open: mergeWindows(windows.flatMap((window) => within(window, open))),
    }))
    .sort((a, b) => a.countedMs - b.countedMs)
    .map((one) => (nowMs - one.countedMs >= AGAIN_AFTER_MS ? one.open : one.wanted));
  // What is wanted and what is not are not compared as one: only the one is planned.
  const apart = [uncounted, ...again].flatMap((windows) => [
    windows.flatMap((window) => within(window, wanted)),
    subtractWindows(windows, wanted),
  ]);
  return apart.filter((windows) => windows.length > 0);
}

const within = (window: Window, bounds: readonly Window[]): Window[] =>
  subtractWindows([window], subtractWindows([window], bounds));

function countSurplus(
  parts: readonly SliceResult[],
  countedMs: number,
): CountedSurplus | undefined {
  const windows = mergeWindows(parts.flatMap((part) => part.damaged));
  if (windows.length === 0) return undefined;
  const series = new Set(parts.flatMap(({ gaps }) => gaps.map(({ labels }) => seriesKey(labels))));
  const samples = parts.reduce((sum, { tallied }) => sum + tallied.missing, 0);
  return { windows, series: series.size, samples, countedMs };
}
