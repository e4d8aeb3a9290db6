/** One condition on one label, as VictoriaMetrics knows it; regular expressions are anchored at both ends. */
export interface Matcher {
  readonly label: string;
  readonly operator: '=' | '!=' | '=~' | '!~';
  readonly value: string;
}

/** A selector is met by the series that meet every one of its matchers. */
export type Selector = readonly Matcher[];

export type Labels = Readonly<Record<string, string>>;

/** A selector's text that cannot be read; the message says where it stops making sense. */
export class SelectorSyntaxError extends Error {
  override name = 'SelectorSyntaxError';
}

const NEGATED = { '=': '!=', '!=': '=', '=~': '!~', '!~': '=~' } as const;

const negate = (matcher: Matcher): Matcher => ({
  ...matcher,
  operator: NEGATED[matcher.operator],
});

/**
 * Reads selectors such as `{job="a"}`, `up{job=~"a|b"}` or several of them after one another, separated by white space
 * or commas. Throws a `SelectorSyntaxError`.
 */
export function parseSelectors(text: string): Selector[] {
  const reader = new SelectorReader(text);
  const selectors: Selector[] = [];
  while (!reader.atEnd()) selectors.push(reader.selector());
  if (selectors.length === 0)
    throw new SelectorSyntaxError('expected a selector such as {job="x"}');
  return selectors;
}

class SelectorReader {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  atEnd(): boolean {
    this.#take(/[\s,]*/y);
    return this.#at === this.#text.length;
  }

  selector(): Selector {
    const matchers: Matcher[] = [];
    const name = this.#take(NAME);
    if (name) matchers.push({ label: '__name__', operator: '=', value: unescapeName(name) });
    if (this.#take(/\s*\{\s*/y)) {
      while (!this.#take(/\s*\}/y)) {
        matchers.push(this.#matcher());
        if (!this.#take(/\s*,\s*/y) && !/^\s*\}/.test(this.#rest()))
          throw this.#fault('"," or "}"');
      }
    } else if (!name) throw this.#fault('a selector such as {job="x"}');
    if (matchers.length === 0) throw this.#fault('at least one matcher; {} selects nothing');
    return matchers;
  }

  #matcher(): Matcher {
    this.#take(/\s*/y);
    const label = this.#take(NAME);
    if (!label) throw this.#fault('a label name');
    const operator = this.#take(/\s*(?:=~|!~|!=|=)\s*/y)?.trim() as Matcher['operator'] | undefined;
    if (!operator) throw this.#fault('one of = != =~ !~');
    const quoted = this.#take(/"(?:[^"\\]|\\[\s\S])*"|'(?:[^'\\]|\\[\s\S])*'/y);
    if (quoted === undefined) throw this.#fault('a value in quotes');
    const value = unquote(quoted);
    if (operator.endsWith('~')) assertRegex(value);
    return { label: unescapeName(label), operator, value };
  }

  #take(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text)?.[0];
    if (found === undefined) return undefined;
    this.#at += found.length;
    return found;
  }

  #rest(): string {
    return this.#text.slice(this.#at);
  }

  #fault(expected: string): SelectorSyntaxError {
    const rest = this.#rest().slice(0, 20);
    return new SelectorSyntaxError(
      `expected ${expected} at ${rest === '' ? 'the end' : JSON.stringify(rest)}`,
    );
  }
}

/** A name in which other characters than letters, digits, `_`, `:` and `.` stand behind a backslash. */
const NAME = /(?:[\p{L}_:]|\\[\s\S])(?:[\p{L}\p{N}_:.]|\\[\s\S])*/uy;

const unescapeName = (name: string): string =>
  name.replaceAll(/\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|([\s\S]))/gu, (_, hex, unicode, one) =>
    one === undefined ? String.fromCharCode(parseInt(hex ?? unicode, 16)) : one,
  );

function unquote(quoted: string): string {
  const escapes: Record<string, string> = { n: '\n', t: '\t', r: '\r' };
  return quoted
    .slice(1, -1)
    .replaceAll(/\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|([\s\S]))/g, (_, hex, unicode, one) =>
      one === undefined ? String.fromCharCode(parseInt(hex ?? unicode, 16)) : (escapes[one] ?? one),
    );
}

function assertRegex(pattern: string): void {
  try {
    anchored(pattern);
  } catch (error) {
    throw new SelectorSyntaxError(`not a regular expression: ${(error as Error).message}`);
  }
}

/**
 * A selector as text that VictoriaMetrics 1.79 and later read alike: in label names every character outside
 * `[A-Za-z0-9_:]` stands behind a backslash (quoted names are read by newer parsers only).
 */
export function formatSelector(selector: Selector): string {
  const parts = selector.map(({ label, operator, value }) => {
    return `${escapeName(label)}${operator}${quote(value)}`;
  });
  return `{${parts.join(',')}}`;
}

const escapeName = (name: string): string =>
  [...name]
    .map((char, at) =>
      /[A-Za-z_:]/.test(char) || (at > 0 && /[0-9]/.test(char))
        ? char
        : `\\${afterBackslash(char)}`,
    )
    .join('');

/**
 * Control characters are written by their code: newer parsers refuse them as they stand. For other invisible characters
 * (U+00A0, U+2028) there is no spelling that 1.79 and 1.145 both read.
 */
const afterBackslash = (char: string): string =>
  char < ' ' || char === '\x7f' ? `x${char.charCodeAt(0).toString(16).padStart(2, '0')}` : char;

/** Go's way of quoting; other control characters are read as they stand by every version. */
function quote(value: string): string {
  const escaped = value
    .replaceAll(/["\\]/g, '\\$&')
    .replaceAll('\n', '\\n')
    .replaceAll('\r', '\\r')
    .replaceAll('\t', '\\t');
  return `"${escaped}"`;
}

/** A text as a regular expression that matches it alone, in the grammar of RE2. */
export const escapeRegex = (text: string): string => text.replaceAll(/[\\^$.|?*+()[\]{}]/g, '\\$&');

/** True when a series with these labels meets the selector; an absent label counts as an empty one. */
export const meets = (selector: Selector, labels: Labels): boolean =>
  selector.every(({ label, operator, value }) => {
    const own = (Object.hasOwn(labels, label) && labels[label]) || '';
    if (operator === '=') return own === value;
    if (operator === '!=') return own !== value;
    const matched = anchored(value).test(own);
    return operator === '=~' ? matched : !matched;
  });

/** Anchored at both ends; a flag group in front (`(?i)`), which RE2 knows, becomes a flag of ours. */
function anchored(pattern: string): RegExp {
  const flags = /^\(\?([ims]+)\)/.exec(pattern);
  return new RegExp(`^(?:${pattern.slice(flags?.[0].length ?? 0)})$`, flags?.[1] ?? '');
}

/** Selects exactly the series with these labels, and those that have further labels beside them. */
export const selectorOf = (labels: Labels): Selector =>
  Object.entries(labels).map(([label, value]) => ({ label, operator: '=', value }));

/**
 * What is compared, as selectors of which no two meet the same series: every selector of `match` without those of
 * `exclude`. "Not (a and b)" is split into "not a" and "a, but not b", so that each part stays a plain selector that a
 * server can answer, and no series is counted twice.
 */
export function scopeOf(match: readonly Selector[], exclude: readonly Selector[]): Selector[] {
  const scope: Selector[] = [];
  for (const [index, selector] of match.entries()) {
    let parts: Selector[] = [selector];
    for (const taken of [...match.slice(0, index), ...exclude]) {
      parts = parts.flatMap((part) => without(part, taken));
    }
    scope.push(...parts);
  }
  return scope;
}

/** The part of a scope that one of these selectors (as text) selects; all of it when there are none. */
export function narrowScope(
  scope: readonly Selector[],
  match: readonly string[],
): readonly Selector[] {
  if (match.length === 0) return scope;
  const parts = scopeOf(match.flatMap(parseSelectors), []);
  return scope.flatMap((selector) => parts.map((part) => [...part, ...selector]));
}

function without(selector: Selector, taken: Selector): Selector[] {
  return taken.map((matcher, index) => [...selector, ...taken.slice(0, index), negate(matcher)]);
}

/** One identity for one label set, whatever order the labels came in. */
export function seriesKey(labels: Labels): string {
  const names = Object.keys(labels).sort();
  return JSON.stringify(names.map((name) => [name, labels[name]]));
}

/** `name{a="1",b="2"}`, for people. */
export function formatSeries(labels: Labels): string {
  const { __name__: name = '', ...rest } = labels;
  return `${name}${Object.keys(rest).length > 0 ? formatSelector(selectorOf(rest)) : ''}` || '{}';
}
