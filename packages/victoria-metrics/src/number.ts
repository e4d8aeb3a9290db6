/** As JSON writes numbers, which is how servers write them too; what `Number` reads beside that (`0x10`, ` 5`) is none. */
const NUMBER = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/;

/** The number that a text is; undefined where it is none, or none that can be held. */
export function readNumber(text: string): number | undefined {
  if (!NUMBER.test(text)) return undefined;
  const number = Number(text);
  return Number.isFinite(number) ? number : undefined;
}

/** The last instant that a date can hold: what lies behind it is no time. */
const LAST_MS = 8.64e15;

/** Whole milliseconds of an instant that was written in seconds; undefined where it is none. */
export function readInstantMs(text: string): number | undefined {
  const ms = Math.round((readNumber(text) ?? Number.NaN) * 1000);
  return ms >= 0 && ms <= LAST_MS ? ms : undefined;
}

/**
 * A value as every version reads it, or undefined for what no import can store: staleness markers and not-a-numbers.
 * `Infinity` in quotes makes 1.79 drop the whole line with a 204; the bare word is read by all (measured).
 */
export function portableValue(text: string): string | undefined {
  const word = /^"([^"]*)"$/.exec(text)?.[1] ?? text;
  if (word === 'null' || word === 'NaN') return undefined;
  if (/^\+?Inf(?:inity)?$/.test(word)) return '+Inf';
  if (/^-Inf(?:inity)?$/.test(word)) return '-Inf';
  return word;
}

/** A value in the spellings of both versions, not a number where there is none; undefined for what is no value. */
export function readValue(text: string): number | undefined {
  const word = portableValue(text);
  if (word === '+Inf') return Number.POSITIVE_INFINITY;
  if (word === '-Inf') return Number.NEGATIVE_INFINITY;
  return word === undefined ? Number.NaN : readNumber(text);
}
