import { makeSeries, type Series } from '@vm-sync/testkit';
import { minute } from './data.ts';

/** Metric names that a selector must quote or escape, or that mean something in a query. */
const names = [
  'plain_total',
  'dots.in.the.name',
  'dashes-in-name',
  'spaces in the name',
  '1_leading_digit',
  'utf8_żółć_漢字',
  'sum',
  'by',
  'back\\slash',
  'quo"te\'s`',
  'line\nbreak',
  '{braces="in",name}',
  'slash/and|pipe.*',
];

const labelValues = [
  'say "hi"',
  "it's `so`",
  'C:\\dir\\new',
  '\\"',
  'two\nlines\r\nand\ttab',
  'żółć 漢字 🎉\u2028\u00a0',
  '\u0000\u0001\u001f\u007f',
  ' spaces around ',
  '.*|a(b)[c]{1}^$?+',
  '$1 %s {{y}}',
  '9.5e3',
  '+Inf',
  'null',
  'x'.repeat(900),
];

const labelNames = [
  'k8s.pod-name',
  'with space',
  'ключ',
  'by',
  'rollup',
  'le',
  '1st',
  'back\\slash',
];

/**
 * Series that are hard to name or hard to write, a sample a minute in (fromMs, toMs]: each stands for a way of losing
 * or confusing samples between two databases.
 */
export function oddSeries(fromMs: number, toMs: number): Series[] {
  const labelled: Record<string, string>[] = [
    ...names.map((name) => ({ __name__: name, kind: 'name' })),
    ...labelValues.map((value) => ({ __name__: 'values', value })),
    ...labelNames.map((name) => ({ __name__: 'labels', [name]: 'x' })),
    // Each meets a selector that names the one before.
    { __name__: 'subset' },
    { __name__: 'subset', a: '1' },
    { __name__: 'subset', a: '1', b: '2' },
    // More than one of a print's own label.
    { __name__: 'rolled', rollup: 'count_over_time' },
    { __name__: 'rolled', rollup: 'sum_over_time' },
  ];
  const regular = makeSeries({
    count: 1,
    fromMs,
    toMs,
    stepMs: minute,
    jitterMs: 900,
  })[0] as Series;
  return [...labelled.map((labels) => ({ ...regular, labels })), ...oddValues(regular)];
}

/** A series each: a database stores the values of one with a common exponent, and would round them together. */
function oddValues({ timestamps }: Series): Series[] {
  const patterns: Record<string, number[]> = {
    infinite: [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY],
    'sometimes infinite': [1, 2, Number.POSITIVE_INFINITY, 3, Number.NEGATIVE_INFINITY],
    huge: [1e300, -2e300],
    tiny: [1e-300, 5e-300],
    negative: [-1, -0.5, 0],
    counter: [9_007_199_254_740, 9_007_199_254_741],
  };
  return Object.entries(patterns).map(([pattern, values]) => ({
    labels: { __name__: 'odd_values', pattern },
    timestamps,
    values: timestamps.map((_, at) => values[at % values.length] ?? 0),
  }));
}
