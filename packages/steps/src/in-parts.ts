import {
  formatSelector,
  halve,
  halvingMatcher,
  meets,
  type Selector,
  VmSyncError,
  type Window,
} from '@vm-sync/core';
import type { Pair, SiteDatabase } from './ports.ts';

/** Something that is asked of both sites about one selector in one window. */
export interface Question {
  readonly pair: Pair;
  readonly selector: Selector;
  readonly window: Window;
  /** Windows are divided on multiples of this. */
  readonly stepMs: number;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Asks at once what fits, and in parts what is `too-big` for a server's limits or our memory: by metric name first,
 * then by time, then by any label. The parts are disjoint and complete.
 */
export async function* inParts<T>(
  question: Question,
  ask: (selector: Selector, window: Window) => Promise<T>,
): AsyncGenerator<T> {
  const { selector, window } = question;
  try {
    yield await ask(selector, window);
    return;
  } catch (error) {
    if (!(error instanceof VmSyncError) || error.kind !== 'too-big') throw error;
    const smaller = await divide(question);
    if (!smaller) {
      throw new VmSyncError(
        'final',
        `${error.message}; cannot ask for less than ${formatSelector(selector)} in one bucket: raise the limit, or narrow SYNC_MATCH`,
        { cause: error },
      );
    }
    for (const part of smaller) yield* inParts({ ...question, ...part }, ask);
  }
}

export const isOneName = (selector: Selector): boolean =>
  selector.some(({ label, operator }) => label === '__name__' && operator === '=');

interface Part {
  readonly selector: Selector;
  readonly window: Window;
}

/** Two disjoint parts that make up the whole; undefined when it cannot be divided any further. */
async function divide(question: Question): Promise<[Part, Part] | undefined> {
  const { selector, window, stepMs } = question;
  const byValue = async (label: string): Promise<[Part, Part] | undefined> => {
    const matcher = halvingMatcher(label, await valuesOf(question, label));
    if (!matcher) return undefined;
    // The second half is whatever the first is not: lists of values may be cut, or belong to other series.
    return [
      { selector: [matcher, ...selector], window },
      { selector: [{ ...matcher, operator: '!~' }, ...selector], window },
    ];
  };
  const names = isOneName(selector) ? undefined : await byValue('__name__');
  if (names) return names;
  const halves = halve(window, stepMs);
  if (halves)
    return [
      { selector, window: halves[0] },
      { selector, window: halves[1] },
    ];
  for (const label of await ofBoth(question, (site, request) => site.labelNames(request))) {
    const parts = label === '__name__' ? undefined : await byValue(label);
    if (parts) return parts;
  }
  return undefined;
}

/** The values of a label that the selector may select. */
async function valuesOf(question: Question, label: string): Promise<string[]> {
  const all = await ofBoth(question, (site, request) => site.labelValues(label, request));
  // The list may hold values of other series; those that the selector rules out would be divided for ever.
  const own = question.selector.filter((matcher) => matcher.label === label);
  return all.filter((value) => meets(own, { [label]: value }));
}

/** What either site lists, in the order of the alphabet. */
async function ofBoth(
  { pair, selector, window, signal }: Question,
  list: (
    site: SiteDatabase,
    request: Parameters<SiteDatabase['labelNames']>[0],
  ) => Promise<string[]>,
): Promise<string[]> {
  const request = { selector: formatSelector(selector), window, signal };
  const both = await Promise.all([list(pair.source, request), list(pair.destination, request)]);
  return [...new Set(both.flat())].sort();
}
