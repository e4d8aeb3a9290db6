import type { RawSamples } from './export-raw.ts';
import type { Series } from './series.ts';

/** Counts of samples; a sample is a series at a millisecond. */
export type RawDifference = {
  onlyA: number;
  onlyB: number;
  /** On both sides, with values further apart than the tolerance. */
  differing: number;
  /** Samples stored more often than once on a side. */
  duplicatesA: number;
  duplicatesB: number;
  /** The first few differences in words. */
  examples: string[];
};

const keptExamples = 5;

/** Compares what two servers hold, sample by sample. `valueTolerance` is relative to the bigger value. */
export function diffRaw(
  a: RawSamples,
  b: RawSamples,
  { valueTolerance = 1e-9 }: { valueTolerance?: number } = {},
): RawDifference {
  const total: RawDifference = {
    onlyA: 0,
    onlyB: 0,
    differing: 0,
    duplicatesA: 0,
    duplicatesB: 0,
    examples: [],
  };
  const example = (text: string): void => {
    if (total.examples.length < keptExamples) total.examples.push(text);
  };
  for (const key of new Set([...a.keys(), ...b.keys()])) {
    const atA = byTime(a.get(key));
    const atB = byTime(b.get(key));
    total.duplicatesA += (a.get(key)?.timestamps.length ?? 0) - atA.size;
    total.duplicatesB += (b.get(key)?.timestamps.length ?? 0) - atB.size;
    for (const [time, valueA] of atA) {
      const valueB = atB.get(time);
      if (valueB === undefined) {
        total.onlyA += 1;
        example(`only in A: ${key} at ${new Date(time).toISOString()}`);
      } else if (!near(valueA, valueB, valueTolerance)) {
        total.differing += 1;
        example(`${key} at ${new Date(time).toISOString()}: A has ${valueA}, B has ${valueB}`);
      }
    }
    for (const time of atB.keys()) {
      if (atA.has(time)) continue;
      total.onlyB += 1;
      example(`only in B: ${key} at ${new Date(time).toISOString()}`);
    }
  }
  return total;
}

/** The difference of two sides that hold exactly the same. */
export const noDifference: RawDifference = {
  onlyA: 0,
  onlyB: 0,
  differing: 0,
  duplicatesA: 0,
  duplicatesB: 0,
  examples: [],
};

function byTime(series: Series | undefined): Map<number, number> {
  return new Map(series?.timestamps.map((time, index) => [time, series.values[index] ?? NaN]));
}

function near(a: number, b: number, tolerance: number): boolean {
  if (Object.is(a, b) || a === b) return true;
  return Math.abs(a - b) <= tolerance * Math.max(Math.abs(a), Math.abs(b));
}
