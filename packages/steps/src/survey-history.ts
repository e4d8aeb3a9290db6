import {
  alignDownMs,
  errorKind,
  formatSelector,
  type History,
  type Mark,
  makeWindow,
  mergeWindows,
  subtractWindows,
  VmSyncError,
  type Window,
  withDiffering,
} from '@vm-sync/core';
import { compareCounts, unevenBuckets } from './compare-counts.ts';
import type { Comparison } from './compare-windows.ts';
import { inParts } from './in-parts.ts';

const DAY_MS = 86_400_000;

/** Where nothing is stored, long stretches are passed at a glance; where there is something, days are counted. */
const LONGEST_GLANCE_MS = 512 * DAY_MS;
const LONGEST_COUNT_MS = 16 * DAY_MS;

/** What a survey brought. */
export interface Surveyed {
  readonly history: History;
  /** Proven time in which the destination has fewer samples than the source now. */
  readonly suspect: readonly Window[];
}

/**
 * Looks at the time before the look-back, newest first: counts per series and day on both sides, until the edge of the
 * retention or until `deadlineMs`; the next call goes on where this one stopped. It proves nothing, but shows gaps that
 * nobody looks at otherwise.
 */
export async function surveyHistory(
  comparison: Comparison,
  from: { readonly history: History; readonly mark: Mark },
  limits: { readonly edgeMs: number; readonly deadlineMs: number; readonly now: () => number },
): Promise<Surveyed> {
  const { sinceMs } = from.mark;
  const suspect: Window[] = [];
  let at = from.history;
  let lengthMs = DAY_MS;
  while (!at.passDone && limits.now() < limits.deadlineMs) {
    const toMs = at.surveyedFromMs;
    const dayStartMs = alignDownMs(toMs - 1, DAY_MS) + DAY_MS - lengthMs;
    // A slice lies on one side of the mark's beginning: what is older is told, what is newer is due again.
    const leastMs = toMs > sinceMs ? Math.max(limits.edgeMs, sinceMs) : limits.edgeMs;
    const fromMs = Math.max(leastMs, dayStartMs);
    if (fromMs >= toMs) {
      at = { ...at, passDone: true, complete: true };
      break;
    }
    const window = makeWindow(fromMs, toMs);
    if (lengthMs > LONGEST_COUNT_MS && !(await isBare(comparison, window))) {
      lengthMs = DAY_MS;
      continue;
    }
    const { damaged, damagedBackward, bare } =
      lengthMs > LONGEST_COUNT_MS ? BARE : await differingDays(comparison, window);
    if (toMs > sinceMs) suspect.push(...damaged);
    // Before the mark nothing is known of either side: more samples there are no proof of the same samples.
    // What a backfill has proven there is judged as marked time is.
    else
      at = withDiffering(at, [...damaged, ...subtractWindows(damagedBackward, from.mark.earlier)]);
    at = { ...at, surveyedFromMs: fromMs };
    lengthMs = Math.min(lengthMs * 2, bare ? LONGEST_GLANCE_MS : LONGEST_COUNT_MS);
  }
  return { history: at, suspect: mergeWindows(suspect) };
}

/** True when neither site holds anything in the window. */
async function isBare({ pair, scope, signal }: Comparison, window: Window): Promise<boolean> {
  for (const selector of scope) {
    const request = { selectors: [formatSelector(selector)], window, signal };
    for (const site of [pair.source, pair.destination]) {
      try {
        if ((await site.totalSamples(request)) > 0) return false;
      } catch (error) {
        // Too much to count at a glance is certainly something.
        if (errorKind(error) === 'too-big') return false;
        throw error;
      }
    }
  }
  return true;
}

/** As many differing series are held in memory at once. */
const DIFFERING_AT_ONCE = 50_000;

/** Days in which a series has fewer samples on the destination, and on the source. */
interface DifferingDays {
  readonly damaged: readonly Window[];
  readonly damagedBackward: readonly Window[];
  /** True when neither site holds anything. */
  readonly bare: boolean;
}

const BARE: DifferingDays = { damaged: [], damagedBackward: [], bare: true };

async function differingDays(
  { pair, scope, signal }: Comparison,
  window: Window,
): Promise<DifferingDays> {
  const damaged: Window[] = [];
  const damagedBackward: Window[] = [];
  let bare = true;
  for (const days of wholeAndPart(window)) {
    const stepMs = Math.min(DAY_MS, days.toMs - days.fromMs);
    for (const whole of scope) {
      const question = { pair, selector: whole, window: days, stepMs, signal };
      const uneven = inParts(question, async (selector, part) => {
        const asked = { pair, selector, window: part, stepMs, signal };
        const counted = await compareCounts({ ...asked, mostDiffering: DIFFERING_AT_ONCE });
        if (counted) return { ...unevenBuckets(counted), bare: counted.series === 0 };
        throw new VmSyncError('too-big', `more than ${DIFFERING_AT_ONCE} series differ at once`);
      });
      for await (const part of uneven) {
        damaged.push(...part.damaged);
        damagedBackward.push(...part.damagedBackward);
        bare &&= part.bare;
      }
    }
  }
  return { damaged, damagedBackward, bare };
}

/** Cuts off the last day when it is only a part of one, so that each piece is a multiple of its own step. */
function wholeAndPart(window: Window): Window[] {
  const cuts = [
    window.fromMs,
    Math.min(window.toMs, alignDownMs(window.fromMs + DAY_MS - 1, DAY_MS)),
    Math.max(window.fromMs, alignDownMs(window.toMs, DAY_MS)),
    window.toMs,
  ].sort((a, b) => a - b);
  return cuts
    .slice(1)
    .map((toMs, at) => ({ fromMs: cuts[at] as number, toMs }))
    .filter(({ fromMs, toMs }) => fromMs < toMs);
}
