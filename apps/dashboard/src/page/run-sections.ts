import {
  formatDirection,
  formatDuration,
  formatShare,
  type Progress,
  type ShownPace,
} from '@vm-sync/core';
import type { RunRecord } from '@vm-sync/queue';
import type { ChunkStates, OpenRun, Overview } from '../overview.ts';
import { type Html, html, type Part } from './html.ts';
import { runHref } from './links.ts';
import { badge, card, detail, facts, nothing } from './parts.ts';
import { ago, bytesText, countText, spanText } from './text.ts';

/** The repair that is under way. */
export function repairSection({ openRuns, repairsPaused, pace, nowMs }: Overview): Html {
  const paused =
    repairsPaused &&
    html`<p>${badge('busy', 'paused')} No worker takes a chunk until repairs are resumed.</p>`;
  if (openRuns.length === 0) {
    return card('Repair', [paused, stoppedBy(pace), nothing('Nothing to repair: no run is open.')]);
  }
  const slowness = stoppedBy(pace) ?? slowedBy(pace);
  return card('Repair', [paused, slowness, openRuns.map((open) => openRun(open, nowMs))]);
}

const stoppedBy = ({ stopped, reason }: ShownPace): Html | undefined =>
  stopped ? html`<p>${badge('bad', 'stopped')} ${reason ?? ''}</p>` : undefined;

const slowedBy = ({ reason }: ShownPace): Html | undefined =>
  reason === null ? undefined : html`<p>${badge('busy', 'slowed')} ${reason}</p>`;

function openRun({ run, progress, chunks }: OpenRun, nowMs: number): Html {
  return html`<p class="big"><a href="${runHref(run.id)}">${formatDirection(run.direction)}</a>${kindOf(run)}</p>
${progressBar(progress)}
${facts([
  ['Done', html`${formatShare(progress.share)}, ${timeLeft(progress)}${detail(progress.basis)}`],
  ['Chunks', chunks ? chunksText(chunks) : `${countText(run.chunks)}, being settled`],
  ['Planned', `${countText(run.samplesPlanned)} samples of ${countText(run.series)} series`],
  ['Begun', ago(run.createdMs, nowMs)],
])}`;
}

export function kindOf({ backfillId, recovery }: RunRecord): Html | undefined {
  const kind = recovery ? 'recovery' : backfillId === null ? undefined : 'backfill';
  return kind && html` <span class="muted">${kind}</span>`;
}

const STATES = ['done', 'active', 'waiting', 'delayed', 'failed'] as const;

const chunksText = (chunks: ChunkStates): string =>
  STATES.filter((state) => chunks[state] > 0)
    .map((state) => `${countText(chunks[state])} ${state}`)
    .join(' · ');

const timeLeft = ({ leftMs }: Progress): string =>
  leftMs === null ? 'time left unknown' : `${formatDuration(leftMs)} left`;

export const progressBar = ({ share }: { readonly share: number }): Html =>
  html`<progress max="1" value="${share}">${formatShare(share)}</progress>`;

export function runsSection({ runs, nowMs }: Overview): Html {
  if (runs.length === 0) {
    return html`<section><h2>Runs</h2>${nothing('No run yet: no gap has been found.')}</section>`;
  }
  return html`<section><h2>Runs</h2>${runsTable(runs, nowMs)}</section>`;
}

export const runsTable = (runs: readonly RunRecord[], nowMs: number): Html =>
  html`<div class="wide"><table>
<thead><tr><th>Begun</th><th>State</th><th>Direction</th><th>Window (UTC)</th><th class="number">Chunks</th><th class="number">Samples copied</th><th class="number">Bytes</th></tr></thead>
<tbody>${runs.map((run) => runRow(run, nowMs))}</tbody></table></div>`;

export const RUN_BADGES = {
  open: badge('busy', 'open'),
  paused: badge('idle', 'paused'),
  cancelled: badge('idle', 'cancelled'),
  settled: badge('good', 'settled'),
  superseded: badge('idle', 'superseded'),
} as const;

const runRow = (run: RunRecord, nowMs: number): Html => html`<tr>
<td><a href="${runHref(run.id)}">${ago(run.createdMs, nowMs)}</a></td>
<td>${RUN_BADGES[run.state]}</td>
<td>${formatDirection(run.direction)}${run.recovery && kindOf(run)}</td>
<td>${windowsText(run, nowMs)}</td>
<td class="number">${countText(run.chunks)}</td>
<td class="number">${countText(run.samplesCopied)} <span class="muted">of ${countText(run.samplesPlanned)}</span></td>
<td class="number">${bytesText(run.bytesCopied)}</td>
</tr>`;

function windowsText({ windows }: RunRecord, nowMs: number): Part {
  const [first, ...more] = windows;
  if (!first) return undefined;
  return [
    spanText(first, nowMs),
    more.length > 0 && html` <span class="muted">and ${more.length} more</span>`,
  ];
}
