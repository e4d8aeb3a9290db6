import {
  alignDownMs,
  errorKind,
  formatSelector,
  type History,
  makeWindow,
  mergeWindows,
  type Selector,
  type Window,
  withDiffering,
} from '@vm-sync/core';
import type { Measure } from './compare-slice.ts';
import { compareWindows } from './compare-window.ts';
import type { Pair } from './ports.ts';

const DAY_MS = 86_400_000;

/** Where nothing is stored, long stretches are passed at a glance; where there is something, days are counted. */
const LONGEST_GLANCE_MS = 512 * DAY_MS;
const LONGEST_COUNT_MS = 16 * DAY_MS;

/**
 * Looks at the time before the mark's beginning, newest first: counts per series and day on both sides, until the edge
 * of the retention or until `deadlineMs`; the next call goes on where this one stopped. It proves nothing, but shows
 * gaps that are older than anything a first check looks at.
 */
export async function surveyHistory(
  pair: Pair,
  scope: readonly Selector[],
  history: History,
  limits: { readonly edgeMs: number; readonly deadlineMs: number; readonly now: () => number },
  measure: Measure,
  signal?: AbortSignal,
): Promise<History> {
  let at = history;
  let lengthMs = DAY_MS;
  while (!at.complete && limits.now() < limits.deadlineMs) {
    const toMs = at.surveyedFromMs;
    const fromMs = Math.max(limits.edgeMs, alignDownMs(toMs - 1, DAY_MS) + DAY_MS - lengthMs);
    if (fromMs >= toMs) return { ...at, complete: true };
    const window = makeWindow(fromMs, toMs);
    if (await isBare(pair, scope, window, signal)) {
      at = { ...at, surveyedFromMs: fromMs };
      lengthMs = Math.min(lengthMs * 2, LONGEST_GLANCE_MS);
      continue;
    }
    if (lengthMs > LONGEST_COUNT_MS) {
      lengthMs = DAY_MS;
      continue;
    }
    const differing = await differingDays(pair, scope, window, measure, signal);
    at = { ...withDiffering(at, differing), surveyedFromMs: fromMs };
    lengthMs = Math.min(lengthMs * 2, LONGEST_COUNT_MS);
  }
  return at;
}

/** True when neither site holds anything in the window. */
async function isBare(
  pair: Pair,
  scope: readonly Selector[],
  window: Window,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  for (const selector of scope) {
    const request = { selector: formatSelector(selector), window, signal };
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

/** Days in which a series' counts differ, also to the destination's advantage: neither is proof of the other. */
async function differingDays(
  pair: Pair,
  scope: readonly Selector[],
  window: Window,
  measure: Measure,
  signal: AbortSignal | undefined,
): Promise<Window[]> {
  const found: Window[] = [];
  for (const days of wholeAndPart(window)) {
    const stepMs = Math.min(DAY_MS, days.toMs - days.fromMs);
    for await (const { parts } of compareWindows(
      pair,
      scope,
      [days],
      'survey',
      { ...measure, stepMs },
      signal,
    )) {
      for (const part of parts) found.push(...part.damaged, ...part.damagedBackward);
    }
  }
  return mergeWindows(found);
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
