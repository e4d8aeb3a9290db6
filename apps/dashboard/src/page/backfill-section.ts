import { directionOf, formatDirection, formatProgress, formatShare } from '@vm-sync/core';
import type { BackfillProgress } from '@vm-sync/queue';
import type { Overview } from '../overview.ts';
import { type Html, html } from './html.ts';
import { badge, detail, tableBox } from './parts.ts';
import { progressBar } from './run-sections.ts';
import { ago, countText, spanText } from './text.ts';

/** The ranges that operators named; nothing while nobody has. */
export function backfillSection({ backfills, nowMs }: Overview): Html | undefined {
  if (backfills.length === 0) return undefined;
  return html`<section id="backfills"><h2>Backfills</h2>${tableBox(
    'Backfills',
    html`<thead><tr><th>Asked for</th><th>State</th><th>Direction</th><th>Range (UTC)</th><th>Proven or repaired</th><th class="number">Samples repaired</th></tr></thead>
<tbody>${backfills.map((one) => backfillRow(one, nowMs))}</tbody>`,
  )}</section>`;
}

const BADGES = {
  open: badge('busy', 'open'),
  paused: badge('idle', 'paused'),
  cancelled: badge('idle', 'cancelled'),
  done: badge('good', 'done'),
} as const;

function backfillRow({ backfill, share, progress, waits }: BackfillProgress, nowMs: number): Html {
  const { id, requestedMs, state, direction, window, match, samplesRepaired } = backfill;
  return html`<tr data-key="${id}">
<td>${ago(requestedMs, nowMs)}${detail(id)}</td>
<td>${BADGES[state]}${waits !== null && detail(waits)}</td>
<td>${formatDirection(directionOf(direction))}</td>
<td>${spanText(window, nowMs)}${match.map(detail)}</td>
<td>${progressBar({ share: share.provenOrRepaired })} ${formatShare(share.provenOrRepaired)}, ${formatShare(share.proven)} proven${progress !== null && detail(formatProgress(progress))}</td>
<td class="number">${countText(samplesRepaired)}</td>
</tr>`;
}
