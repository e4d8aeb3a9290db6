import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  escapeRegex,
  formatSelector,
  formatSeries,
  type Labels,
  type Matcher,
  meets,
  parseSelectors,
  type Selector,
  SelectorSyntaxError,
  scopeOf,
  selectorOf,
  seriesKey,
} from '../src/index.ts';

const operator = fc.constantFrom('=', '!=', '=~', '!~') as fc.Arbitrary<Matcher['operator']>;
const text = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.string({ unit: fc.constantFrom('"', '\\', '\n', '}', ',', 'n', 'x', '4', "'") }),
);
const matcher: fc.Arbitrary<Matcher> = fc.record({
  label: fc.oneof(
    fc.string({ unit: 'binary', minLength: 1 }),
    fc.string({
      unit: fc.constantFrom('\\', 'x', 'u', '4', '1', ' ', '.', '-', '"', '\t'),
      minLength: 1,
    }),
  ),
  operator,
  value: text,
});
/** A regular expression must be one: here the text stands for itself. */
const sound = (one: Matcher): Matcher =>
  one.operator.endsWith('~') ? { ...one, value: escapeRegex(one.value) } : one;
const selector = fc.array(matcher.map(sound), { minLength: 1, maxLength: 5 });

describe('reading and writing', () => {
  test('what is written is read as the same', () => {
    fc.assert(
      fc.property(
        fc.array(selector, { minLength: 1, maxLength: 3 }),
        fc.constantFrom(' ', ',', '\n', ' , '),
        (some, between) => {
          expect(parseSelectors(some.map(formatSelector).join(between))).toEqual(some);
        },
      ),
      { numRuns: 500 },
    );
  });

  test('a label name can be any text', () => {
    for (const label of [
      'a b',
      'k8s.pod-name',
      '0',
      '1a',
      '"',
      '\\',
      '\\x41',
      'x41',
      'ключ',
      '🙂',
      '{',
      '\u0000',
      '\n',
      '__proto__',
    ]) {
      const one: Selector = [{ label, operator: '=', value: 'v' }];
      expect(parseSelectors(formatSelector(one))).toEqual([one]);
    }
  });

  test.each<[string, Selector[]]>([
    ['up', [[eq('__name__', 'up')]]],
    ['up{}', [[eq('__name__', 'up')]]],
    ['up{job="a",}', [[eq('__name__', 'up'), eq('job', 'a')]]],
    ["{job='a'}", [[eq('job', 'a')]]],
    [
      ' { job = "a" , x =~ "b|c" } ',
      [[eq('job', 'a'), { label: 'x', operator: '=~', value: 'b|c' }]],
    ],
    ['up down', [[eq('__name__', 'up')], [eq('__name__', 'down')]]],
    ['{a="1"},{b!="2"}', [[eq('a', '1')], [{ label: 'b', operator: '!=', value: '2' }]]],
    [String.raw`{k8s\.pod\-name="x\"\\\n\x41é\'"}`, [[eq('k8s.pod-name', 'x"\\\nAé\'')]]],
    ['ns:metric.name', [[eq('__name__', 'ns:metric.name')]]],
    ['{a=~"(?i)x.*"}', [[{ label: 'a', operator: '=~', value: '(?i)x.*' }]]],
  ])('%s', (written, expected) => {
    expect(parseSelectors(written)).toEqual(expected);
  });

  test.each([
    ['', 'expected a selector such as {job="x"}'],
    ['  ', 'expected a selector such as {job="x"}'],
    ['{}', 'expected at least one matcher; {} selects nothing at the end'],
    ['{job}', 'expected one of = != =~ !~ at "}"'],
    ['{job="a"', 'expected "," or "}" at the end'],
    ['{job="a" x="b"}', 'expected "," or "}" at'],
    ['{job=a}', 'expected a value in quotes at "a}"'],
    ['{job="a}', 'expected a value in quotes at "\\"a}"'],
    ['{="a"}', 'expected a label name at'],
    ['{"job"="a"}', 'expected a label name at'],
    ['{a="b" or c="d"}', 'expected "," or "}" at'],
    ['{a=~"("}', 'not a regular expression'],
    ['{a!~"[b-a]"}', 'not a regular expression'],
    ['sum(up)', 'expected a selector such as {job="x"} at "(up)"'],
    ['{a="b"}}', 'expected a selector such as {job="x"} at "}"'],
    ['0up', 'expected a selector'],
  ])('%s is refused with a sentence', (written, sentence) => {
    expect(() => parseSelectors(written)).toThrow(SelectorSyntaxError);
    expect(() => parseSelectors(written)).toThrow(sentence);
  });

  test('any text is read or refused, never anything else', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(...'{}="\'\\,~! a1.x\n') }), (written) => {
        try {
          for (const one of parseSelectors(written))
            expect(parseSelectors(formatSelector(one))).toEqual([one]);
        } catch (error) {
          expect(error).toBeInstanceOf(SelectorSyntaxError);
        }
      }),
      { numRuns: 1_000 },
    );
  });

  test('labels are selected by their values, and written for people', () => {
    const labels = { __name__: 'up', job: 'a"b' };
    expect(formatSelector(selectorOf(labels))).toBe('{__name__="up",job="a\\"b"}');
    expect(formatSeries(labels)).toBe('up{job="a\\"b"}');
    expect(formatSeries({ __name__: 'up' })).toBe('up');
    expect(formatSeries({})).toBe('{}');
  });
});

function eq(label: string, value: string): Matcher {
  return { label, operator: '=', value };
}

/** Few labels and values, so that random selectors meet random series. */
const small = fc.record({
  label: fc.constantFrom('a', 'b', 'c', '__name__', 'constructor'),
  operator,
  value: fc.constantFrom('', 'x', 'y', 'x|y', '.*', '.+', 'x.*', '(?i)X', 'xy', '[xy]z?'),
});
const smallSelector = fc.array(small, { minLength: 1, maxLength: 3 });
const labelSet: fc.Arbitrary<Labels> = fc.dictionary(
  fc.constantFrom('a', 'b', 'c', '__name__', 'constructor'),
  fc.constantFrom('x', 'y', 'xy', 'xz', 'z'),
);

/** What the database means by a selector, said once more in other words. */
function isMet(one: Selector, labels: Labels): boolean {
  return one.every(({ label, operator: how, value }) => {
    const own = Object.entries(labels).find(([name]) => name === label)?.[1] ?? '';
    if (how === '=' || how === '!=') return (own === value) === (how === '=');
    const insensitive = value.startsWith('(?i)');
    const found = own.match(
      new RegExp(insensitive ? value.slice(4) : value, insensitive ? 'i' : ''),
    )?.[0];
    const whole = new RegExp(
      `^(?:${insensitive ? value.slice(4) : value})$`,
      insensitive ? 'i' : '',
    );
    return (found !== undefined && whole.test(own)) === (how === '=~');
  });
}

test('a series meets a selector as it does in the database', () => {
  fc.assert(
    fc.property(smallSelector, labelSet, (one, labels) => {
      expect(meets(one, labels)).toBe(isMet(one, labels));
    }),
    { numRuns: 1_000 },
  );
});

test('a scope meets every series of match without exclude in exactly one selector', () => {
  fc.assert(
    fc.property(
      fc.array(smallSelector, { minLength: 1, maxLength: 3 }),
      fc.array(smallSelector, { maxLength: 2 }),
      fc.array(labelSet, { minLength: 1, maxLength: 20 }),
      (match, exclude, series) => {
        const scope = scopeOf(match, exclude);
        for (const labels of series) {
          const wanted =
            match.some((one) => isMet(one, labels)) && !exclude.some((one) => isMet(one, labels));
          expect(scope.filter((one) => isMet(one, labels)).length).toBe(wanted ? 1 : 0);
        }
      },
    ),
    { numRuns: 2_000 },
  );
});

test('a scope without exclusions is what was given', () => {
  const match = parseSelectors('{__name__!=""}');
  expect(scopeOf(match, [])).toEqual(match);
});

test('a text as a regular expression matches itself alone', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' }), (one, other) => {
      const selected: Selector = [{ label: 'a', operator: '=~', value: escapeRegex(one) }];
      expect(meets(selected, { a: one })).toBe(true);
      expect(meets(selected, { a: other })).toBe(one === other);
    }),
  );
});

test('one label set has one key in whatever order it came, and no two have the same', () => {
  const labels = fc.dictionary(fc.string({ minLength: 1 }), fc.string({ minLength: 1 }), {
    maxKeys: 4,
  });
  fc.assert(
    fc.property(labels, labels, (a, b) => {
      const reversed = Object.fromEntries(Object.entries(a).reverse());
      expect(seriesKey(reversed)).toBe(seriesKey(a));
      const same =
        Object.keys(a).length === Object.keys(b).length &&
        Object.entries(a).every(([name, value]) => Object.hasOwn(b, name) && b[name] === value);
      expect(seriesKey(a) === seriesKey(b)).toBe(same);
    }),
    { numRuns: 500 },
  );
  expect(seriesKey({ a: '1","b', c: '2' })).not.toBe(seriesKey({ a: '1', b: 'c', c: '2' }));
});
