/** One series and its samples; `timestamps` in milliseconds, ascending, as long as `values`. */
export type Series = {
  labels: Record<string, string>;
  timestamps: number[];
  values: number[];
};

export type SeriesShape = {
  /** How many series. */
  count: number;
  /** Metric names, dealt out in turn. */
  names?: readonly string[];
  /** Samples lie in (fromMs, toMs]: the first at fromMs + stepMs. */
  fromMs: number;
  toMs: number;
  stepMs: number;
  /** Each sample comes earlier than its grid point by 0 to jitterMs (exclusive) ms. */
  jitterMs?: number;
  /** Labels that all series share; each also has its own `instance`. */
  labels?: Record<string, string>;
};

/** The same series for the same shape, every time; values have few digits, so that a database keeps them exactly. */
export function makeSeries(shape: SeriesShape): Series[] {
  const names = shape.names ?? ['testkit_samples'];
  const steps = Math.floor((shape.toMs - shape.fromMs) / shape.stepMs);
  return Array.from({ length: shape.count }, (_, index) => {
    const grid = Array.from({ length: steps }, (_, step) => step + 1);
    return {
      labels: {
        __name__: names[index % names.length] ?? 'testkit_samples',
        instance: `host-${String(index).padStart(4, '0')}`,
        ...shape.labels,
      },
      timestamps: grid.map(
        (step) =>
          shape.fromMs +
          step * shape.stepMs -
          Math.floor(noise(index, step) * (shape.jitterMs ?? 0)),
      ),
      values: grid.map((step) => Math.round(noise(step, index) * 100_000) / 100),
    };
  });
}

/** The samples of each series for which `keep` says yes; series left with none are left out. */
export function filterSamples(
  series: readonly Series[],
  keep: (timestampMs: number, labels: Record<string, string>, index: number) => boolean,
): Series[] {
  return series
    .map(({ labels, timestamps, values }) => {
      const kept = timestamps.flatMap((time, index) => (keep(time, labels, index) ? [index] : []));
      return {
        labels,
        timestamps: kept.map((index) => timestamps[index] ?? Number.NaN),
        values: kept.map((index) => values[index] ?? Number.NaN),
      };
    })
    .filter(({ timestamps }) => timestamps.length > 0);
}

/** How many samples there are in all. */
export function countSamples(series: Iterable<{ timestamps: readonly number[] }>): number {
  let count = 0;
  for (const { timestamps } of series) count += timestamps.length;
  return count;
}

/** A series' identity as text: its labels, sorted, as JSON. Empty labels do not count, as in the database. */
export function seriesKey(labels: Readonly<Record<string, string>>): string {
  const entries = Object.entries(labels).filter(([, value]) => value !== '');
  return JSON.stringify(entries.sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** A repeatable number in [0, 1) for two integers. */
function noise(a: number, b: number): number {
  let hash = Math.imul(a + 1, 0x9e3779b1) ^ Math.imul(b + 1, 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d);
  hash = Math.imul(hash ^ (hash >>> 13), 0x297a2d39);
  return ((hash ^ (hash >>> 16)) >>> 0) / 2 ** 32;
}
