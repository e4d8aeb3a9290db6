import { repairEdgeMs } from './beyond.ts';
import { formatDuration, parseDurationMs } from './duration.ts';
import { errorText, VmSyncError } from './errors.ts';
import { settledThroughMs } from './mark.ts';
import type { SiteObservation } from './report.ts';
import { formatSelector, parseSelectors, type Selector } from './selector.ts';
import type { Direction } from './site.ts';
import { alignDownMs, alignUpMs, makeWindow, type Window } from './window.ts';

/** What an operator asks for, as it was written on a command line or in a form. */
export interface BackfillWish {
  readonly from: string;
  readonly to: string;
  readonly match: readonly string[];
}

/** The same, read: whole buckets, and one text per selector. */
export interface BackfillRange {
  readonly window: Window;
  readonly match: readonly string[];
}

/** The grid and the time by which a wish is judged. */
export interface WishGrid {
  readonly nowMs: number;
  readonly settleMs: number;
  readonly stepMs: number;
}

/** A wish that cannot be fulfilled, with the field at fault where there is one. */
export class BackfillRefusedError extends VmSyncError {
  override name = 'BackfillRefusedError';
  readonly field: keyof BackfillWish | undefined;

  constructor(field: keyof BackfillWish | undefined, sentence: string) {
    super('final', field === undefined ? sentence : `${field}: ${sentence}`);
    this.field = field;
  }
}

/**
 * Reads a wish into a range on whole buckets: its begin moves back to a bucket's edge, its end forward. Throws a
 * `BackfillRefusedError` for what cannot be read, is empty, reversed, in the future, or still in flight.
 */
export function readBackfillWish(wish: BackfillWish, grid: WishGrid): BackfillRange {
  const { nowMs, settleMs, stepMs } = grid;
  const fromMs = readInstant('from', wish.from, nowMs);
  const toMs = readInstant('to', wish.to, nowMs);
  if (fromMs === toMs)
    throw new BackfillRefusedError('from', 'is the same instant as the end: the range is empty');
  if (fromMs > toMs) throw new BackfillRefusedError('from', 'must be earlier than the end');
  if (toMs > nowMs) throw new BackfillRefusedError('to', 'lies in the future');
  const horizonMs = settledThroughMs(nowMs, settleMs, stepMs);
  const endMs = alignUpMs(toMs, stepMs);
  if (endMs > horizonMs) {
    throw new BackfillRefusedError(
      'to',
      `samples younger than SETTLE_SECONDS are still in flight; at the latest ${iso(horizonMs)}`,
    );
  }
  return { window: makeWindow(alignDownMs(fromMs, stepMs), endMs), match: readMatch(wish.match) };
}

/**
 * Leaves out what is beyond repair: too old for a site to keep, or for the destination to accept. Throws a `BackfillRefusedError` when
 * nothing of the range is left.
 */
export function withinRetention(
  range: BackfillRange,
  direction: Direction,
  sites: readonly SiteObservation[],
  grid: Pick<WishGrid, 'nowMs' | 'stepMs'>,
): BackfillRange {
  const edgeMs = alignUpMs(repairEdgeMs(grid.nowMs, direction, sites), grid.stepMs);
  const { fromMs, toMs } = range.window;
  if (fromMs >= edgeMs) return range;
  if (toMs > edgeMs) return { ...range, window: makeWindow(edgeMs, toMs) };
  const kept = sites.flatMap(({ site, retentionMs }) =>
    retentionMs === undefined ? [] : [`${site} keeps ${formatDuration(retentionMs)}`],
  );
  throw new BackfillRefusedError(
    'to',
    `the whole range is beyond repair: what is older than ${iso(edgeMs)} is not kept by both sites (${kept.join(', ')}), or not accepted by ${direction.destination} any more`,
  );
}

const INSTANT =
  /^(\d{4}-\d{2}-\d{2})(?:[T ](\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?) ?(Z|[+-]\d{2}:\d{2})?)?$/;

/** A time with a date, in UTC unless it names another offset, or a duration before now. */
function readInstant(field: 'from' | 'to', text: string, nowMs: number): number {
  const trimmed = text.trim();
  const agoMs = /[a-z]$/.test(trimmed) ? parseDurationMs(trimmed) : undefined;
  const [, day, time = '00:00', offset = 'Z'] = INSTANT.exec(trimmed.toUpperCase()) ?? [];
  const atMs = agoMs === undefined ? Date.parse(`${day}T${time}${offset}`) : nowMs - agoMs;
  // JavaScript reads the 30th of February as the 2nd of March.
  const isDay = agoMs !== undefined || isCalendarDay(day ?? '');
  if (isDay && Number.isSafeInteger(atMs) && atMs >= 0) return atMs;
  throw new BackfillRefusedError(
    field,
    `expected a time such as 2026-11-01T00:00:00Z, or how long ago such as 72h or 30d, got ${JSON.stringify(text)}`,
  );
}

function isCalendarDay(day: string): boolean {
  const atMs = Date.parse(`${day}T00:00:00Z`);
  return !Number.isNaN(atMs) && new Date(atMs).toISOString().startsWith(day);
}

function readMatch(texts: readonly string[]): string[] {
  return texts.flatMap((text) => {
    let selectors: Selector[];
    try {
      selectors = parseSelectors(text);
    } catch (error) {
      throw new BackfillRefusedError('match', `${errorText(error)}, in ${JSON.stringify(text)}`);
    }
    for (const { label, operator, value } of selectors.flat()) {
      if (operator.endsWith('~') && UNKNOWN_TO_RE2.test(value)) {
        throw new BackfillRefusedError(
          'match',
          `VictoriaMetrics knows no look-around and no back reference, in ${label}${operator}${JSON.stringify(value)}`,
        );
      }
    }
    return selectors.map(formatSelector);
  });
}

/** What JavaScript's regular expressions have beyond RE2: the servers would refuse it in the middle of a check. */
const UNKNOWN_TO_RE2 = /(?<!\\)(?:\\\\)*(?:\(\?<?[=!]|\\[1-9]|\\k<)/;

const iso = (atMs: number): string => new Date(atMs).toISOString().replace(/\.000Z$/, 'Z');
