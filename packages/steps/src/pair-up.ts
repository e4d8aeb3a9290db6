import { type Labels, seriesKey } from '@vm-sync/core';

interface OfSeries {
  readonly metric: string;
  readonly labels: Labels;
}

/** What both sites say of one series; a site that does not have it says nothing. */
export type Paired<T> =
  | { readonly source: T; readonly destination: T | undefined }
  | {
      readonly source: undefined;
      readonly destination: T;
    };

/**
 * Joins what two sites say, series by series, while it comes. Servers answer in the same order, so that hardly
 * anything has to wait for its partner: memory is bounded by how far the orders (or the sets of series) differ. Series are
 * the same when their label sets are written alike; what is left without a partner at the end is compared by its
 * labels, because versions may escape a character differently.
 */
export async function* pairUp<T extends OfSeries>(
  source: AsyncIterable<T>,
  destination: AsyncIterable<T>,
): AsyncGenerator<Paired<T>> {
  const there = source[Symbol.asyncIterator]();
  const here = destination[Symbol.asyncIterator]();
  const ofSource = new Map<string, T>();
  const ofDestination = new Map<string, T>();
  try {
    let [left, right] = [false, false];
    while (!left || !right) {
      const [a, b] = await Promise.all([
        left ? NOTHING : there.next(),
        right ? NOTHING : here.next(),
      ]);
      left = a.done === true;
      right = b.done === true;
      const one = left ? undefined : (a.value as T);
      const other = right ? undefined : (b.value as T);
      if (one && other && one.metric === other.metric) {
        yield { source: one, destination: other };
        continue;
      }
      if (one) {
        const partner = take(ofDestination, one.metric);
        if (partner) yield { source: one, destination: partner };
        else ofSource.set(one.metric, one);
      }
      if (other) {
        const partner = take(ofSource, other.metric);
        if (partner) yield { source: partner, destination: other };
        else ofDestination.set(other.metric, other);
      }
    }
  } finally {
    // Not waited for: the one that is still being read may be the one that hangs.
    for (const one of [there, here]) one.return?.().catch(() => {});
  }
  yield* byLabels(ofSource, ofDestination);
}

const NOTHING = { done: true as const, value: undefined };

function take<T>(from: Map<string, T>, key: string): T | undefined {
  const found = from.get(key);
  if (found !== undefined) from.delete(key);
  return found;
}

function* byLabels<T extends OfSeries>(
  ofSource: ReadonlyMap<string, T>,
  ofDestination: ReadonlyMap<string, T>,
): Generator<Paired<T>> {
  const rest = new Map<string, T>();
  if (ofSource.size > 0) {
    for (const one of ofDestination.values()) rest.set(seriesKey(one.labels), one);
  }
  for (const one of ofSource.values()) {
    yield { source: one, destination: take(rest, seriesKey(one.labels)) };
  }
  const unpaired = ofSource.size > 0 ? rest : ofDestination;
  for (const destination of unpaired.values()) yield { source: undefined, destination };
}

/** The metric's name out of a label set as servers write it, without reading all of it. */
export function nameOf({ metric, labels }: OfSeries): string {
  const end = metric.startsWith(HEAD) ? metric.indexOf('"', HEAD.length) : -1;
  const name = end < 0 ? undefined : metric.slice(HEAD.length, end);
  // What is escaped, or not plain ASCII, is read properly.
  return name !== undefined && /^[\w:.]*$/.test(name) ? name : (labels['__name__'] ?? '');
}

const HEAD = '{"__name__":"';
