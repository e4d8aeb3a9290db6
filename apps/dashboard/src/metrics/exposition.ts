import { Counter, Gauge, Registry } from 'prom-client';

export type Labels = Readonly<Record<string, string>>;
export type Sample = readonly [Labels, number | boolean];

/** One series of a histogram; bounds and sum in its base unit. */
export interface HistogramSample {
  readonly labels: Labels;
  /** Observations up to each bound, those of lower bounds among them; ascending. */
  readonly within: readonly { readonly bound: number; readonly count: number }[];
  readonly count: number;
  readonly sum: number;
}

/** One scrape's metrics, all named `vmsync_…`. A metric without samples is left out. */
export class Exposition {
  readonly #registry = new Registry();
  readonly #histograms: string[] = [];

  gauge(name: string, help: string, samples: readonly Sample[]): void {
    if (samples.length === 0) return;
    const gauge = new Gauge(this.#settings(name, help, samples));
    for (const [labels, value] of samples) gauge.set(labels, Number(value));
  }

  /** What never falls, but when what it is kept in is lost. */
  counter(name: string, help: string, samples: readonly Sample[]): void {
    if (samples.length === 0) return;
    const counter = new Counter(this.#settings(name, help, samples));
    for (const [labels, value] of samples) counter.inc(labels, Number(value));
  }

  /** Written here: prom-client's histograms cannot be given what was counted elsewhere. */
  histogram(name: string, help: string, samples: readonly HistogramSample[]): void {
    const full = `vmsync_${name}`;
    const lines = samples.flatMap(({ labels, within, count, sum }) => [
      ...within.map(
        (one) => `${full}_bucket${labelsText({ ...labels, le: String(one.bound) })} ${one.count}`,
      ),
      `${full}_bucket${labelsText({ ...labels, le: '+Inf' })} ${count}`,
      `${full}_sum${labelsText(labels)} ${sum}`,
      `${full}_count${labelsText(labels)} ${count}`,
    ]);
    if (lines.length === 0) return;
    const head = [`# HELP ${full} ${help}`, `# TYPE ${full} histogram`];
    this.#histograms.push([...head, ...lines].join('\n'));
  }

  async text(): Promise<string> {
    return [await this.#registry.metrics(), ...this.#histograms].join('\n');
  }

  #settings(name: string, help: string, samples: readonly Sample[]) {
    const labelNames = Object.keys(samples[0]?.[0] ?? {});
    return { name: `vmsync_${name}`, help, labelNames, registers: [this.#registry] };
  }
}

/** 1 for the one that holds, 0 for the others. */
export const oneOf = <T extends string>(
  label: string,
  all: readonly T[],
  holds: T | undefined,
): Sample[] => all.map((one) => [{ [label]: one }, one === holds]);

/** Label values are vm-sync's own words: nothing in them needs escaping. */
const labelsText = (labels: Labels): string => {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${value}"`);
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`;
};
