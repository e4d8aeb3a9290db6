import {
  conflictText,
  directionOf,
  formatDirection,
  type Reconcile,
  type SyncState,
  shownSurplus,
  surplusSentence,
  totalConflicts,
  whyReconcileWaits,
} from '@vm-sync/core';
import type { Overview } from '../overview.ts';
import { type Html, html } from './html.ts';
import { ago, countText, spanText } from './text.ts';

const SHOWN = 5;

/** What only the passive site has, and what is done about it. */
export function surplusSection({ status, isBoth, nowMs }: Overview): Html | undefined {
  const surplus = status && shownSurplus(status.state);
  const order = status?.state.reconcile ?? null;
  const open = order?.state === 'open' ? order : undefined;
  if (!status || (!surplus && !open)) return undefined;
  const direction = surplus ? formatDirection(surplus.direction) : '';
  const windows = surplus?.windows.slice(-SHOWN).reverse() ?? [];
  return html`<section id="surplus"><h2>On the passive site only <span class="muted">${direction}</span></h2>
<p>${surplusSentence(status.state, isBoth) ?? ''}</p>
${open && reconcileText(open, status.state, nowMs)}
<ul class="rows">${windows.map((window) => html`<li>${spanText(window, nowMs)}</li>`)}</ul></section>`;
}

function reconcileText(order: Reconcile, { activeSite }: SyncState, nowMs: number): Html {
  const { id, direction, requestedMs, samplesRecovered, windows } = order;
  const waits = whyReconcileWaits(order, activeSite);
  const left = waits ?? `${countText(windows.length)} windows are not proven yet`;
  return html`<p>Reconcile ${id} <span class="muted">${formatDirection(directionOf(direction))}, asked for ${ago(requestedMs, nowMs)}: ${countText(samplesRecovered)} samples recovered; ${left}</span></p>`;
}

/** Samples of the same series and time with different values: nothing is repaired there. */
export function conflictSection({ status, nowMs }: Overview): Html | undefined {
  const conflicts = status && totalConflicts(status.state.conflicts);
  if (!status || !conflicts || conflicts.samples === 0) return undefined;
  const buckets = status.state.conflicts.buckets.filter(({ samples }) => samples > 0);
  return html`<section id="conflicts"><h2>Different values</h2><p>${conflictText(conflicts)}</p>
<ul class="rows">${buckets
    .slice(-SHOWN)
    .reverse()
    .map(
      ({ window, samples, series }) =>
        html`<li>${spanText(window, nowMs)} <span class="muted">${countText(samples)} samples of ${countText(series)} series</span></li>`,
    )}</ul></section>`;
}
