import { setTimeout as sleep } from 'node:timers/promises';
import { inspect } from 'node:util';

export type Patience = {
  /** How long to wait before giving up, in milliseconds. */
  deadlineMs?: number;
  /** Pause between two looks, in milliseconds. */
  everyMs?: number;
};

type Look<T> = { value: T } | { error: unknown };

/**
 * Waits until `condition` gives something truthy and returns it. A condition that throws is a "not yet":
 * the message of the last error, or the last value, stands in the error when time runs out.
 */
export async function until<T>(
  what: string,
  condition: () => T | Promise<T>,
  { deadlineMs = 30_000, everyMs = 100 }: Patience = {},
): Promise<NonNullable<T>> {
  const giveUpAt = Date.now() + deadlineMs;
  let last: Look<T> | undefined;
  do {
    const seen = await look(condition, giveUpAt - Date.now());
    if (seen && 'value' in seen && seen.value) return seen.value;
    last = seen ?? last;
    await sleep(Math.max(0, Math.min(everyMs, giveUpAt - Date.now())));
  } while (Date.now() < giveUpAt);
  throw new Error(`waited ${deadlineMs / 1000} s for ${what}; last seen: ${describe(last)}`);
}

/** One look, given up after `limitMs` (undefined then), so that a hanging condition cannot hang the test. */
async function look<T>(
  condition: () => T | Promise<T>,
  limitMs: number,
): Promise<Look<T> | undefined> {
  const given = new AbortController();
  const tooLate = sleep(Math.max(1, limitMs), undefined, { signal: given.signal }).catch(
    () => undefined,
  );
  const answer = (async (): Promise<Look<T>> => {
    try {
      return { value: await condition() };
    } catch (error) {
      return { error };
    }
  })();
  try {
    return await Promise.race([answer, tooLate]);
  } finally {
    given.abort();
  }
}

function describe(last: Look<unknown> | undefined): string {
  if (last === undefined) return 'no answer at all';
  if ('value' in last) return inspect(last.value, { breakLength: 120 }).slice(0, 2000);
  return last.error instanceof Error ? `error: ${last.error.message}` : String(last.error);
}
