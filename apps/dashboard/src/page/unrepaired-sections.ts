import {
  type Attempt,
  type BeyondRepair,
  beyondReasonText,
  directionOf,
  formatDirection,
} from '@vm-sync/core';
import type { Overview } from '../overview.ts';
import { type Html, html } from './html.ts';
import { ago, countText, spanText } from './text.ts';

const SHOWN = 10;

/** What a repair did not change, and is left alone until something else changes. */
export function stuckSection({ status, nowMs }: Overview): Html | undefined {
  const stuck = status?.state.stuck.attempted.filter((attempt) => attempt.stuck) ?? [];
  if (stuck.length === 0) return undefined;
  const advice =
    'repaired again when the destination restarts, when the gap changes, after a day, or by a backfill over it';
  return html`<section id="stuck"><h2>Stuck gaps <span class="muted">${countText(stuck.length)} in all, ${advice}</span></h2>
<ul class="rows">${newest(stuck).map((attempt) => stuckRow(attempt, nowMs))}</ul></section>`;
}

function stuckRow(
  { direction, window, samples, times, firstMs, acknowledged }: Attempt,
  nowMs: number,
): Html {
  const known =
    acknowledged &&
    html`<span class="detail">acknowledged by ${acknowledged.who}, ${ago(acknowledged.atMs, nowMs)}</span>`;
  return html`<li>${formatDirection(directionOf(direction))}, ${spanText(window, nowMs)} <span class="muted">${countText(samples)} samples, tried ${countText(times)} times, first ${ago(firstMs, nowMs)}</span>${known}</li>`;
}

/** What became too old before it was proven. It is no reason to wait. */
export function beyondSection({ status, nowMs }: Overview): Html | undefined {
  const beyond = status?.state.beyondRepair ?? [];
  if (beyond.length === 0) return undefined;
  return html`<section id="beyond"><h2>Beyond repair <span class="muted">${countText(beyond.length)} in all; READY does not wait for it</span></h2>
<ul class="rows">${newest(beyond).map((one) => beyondRow(one, nowMs))}</ul></section>`;
}

function beyondRow(
  { direction: key, window, reason, sinceMs, samplesMissing }: BeyondRepair,
  nowMs: number,
): Html {
  const direction = directionOf(key);
  const lost = samplesMissing !== null && html` at least ${countText(samplesMissing)} samples,`;
  return html`<li>${formatDirection(direction)}, ${spanText(window, nowMs)} <span class="muted">${lost} since ${ago(sinceMs, nowMs)}</span><span class="detail">${beyondReasonText(reason, direction)}</span></li>`;
}

const newest = <T>(all: readonly T[]): T[] => all.slice(-SHOWN).reverse();
