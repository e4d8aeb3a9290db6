import {
  formatAmount,
  formatDirection,
  formatDuration,
  formatShare,
  type ShownPace,
} from '@vm-sync/core';
import type { RunRecord } from '@vm-sync/queue';
import type { ChunkStates, OpenRun, Overview } from '../overview.ts';
import { type Html, html, type Part } from './html.ts';
import { runHref } from './links.ts';
import { badge, detail, facts, nothing, tableBox } from './parts.ts';
import { ago, bytesText, countText, spanText } from './text.ts';

/** The repair that is under way; what keeps it from beginning where there is none, and nothing where nothing is to be said. */
export function repairSection({ openRuns, repairsPaused, pace, nowMs }: Overview): Html {
  const paused =
    repairsPaused &&
    html`<p>${badge('busy', 'paused')} No worker takes a chunk until repairs are resumed.</p>`;
  if (openRuns.length === 0) {
    return repairs([
      paused,
      stoppedBy(pace),
      nothing('No run is open: nothing is being repaired.'),
    ]);
  }
  const slowness = stoppedBy(pace) ?? slowedBy(pace);
  return repairs([paused, slowness, openRuns.map((open) => openRun(open, nowMs))]);
}

const repairs = (body: Part): Html => html`<section id="repair"><h2>Repair</h2>${body}</section>`;

const stoppedBy = ({ stopped, reason }: ShownPace): Html | undefined =>
  stopped ? html`<p>${badge('bad', 'stopped')} ${reason ?? ''}</p>` : undefined;

const slowedBy = ({ reason }: ShownPace): Html | undefined =>
  reason === null ? undefined : html`<p>${badge('busy', 'slowed')} ${reason}</p>`;

function openRun({ run, progress, chunks }: OpenRun, nowMs: number): Html {
  return html`<div class="card run" data-key="${run.id}">
<p class="big">${formatDirection(run.direction)}${kindOf(run)} <a href="${runHref(run.id)}">run ${run.id}</a></p>
${progressBar(progress)}
<div class="figures">
${figure(formatShare(progress.share), 'done', progress.basis)}
${figure(progress.leftMs === null ? '–' : formatDuration(progress.leftMs), progress.leftMs === null ? 'time left unknown' : 'left')}
${figure(progress.samplesPerS === null ? '–' : formatAmount(progress.samplesPerS), 'samples a second', progress.bytesPerS === null ? undefined : `${bytesText(progress.bytesPerS)} a second`)}
${figure(countText(progress.samplesCopied), 'samples copied', `of ${countText(run.samplesPlanned)} planned, ${countText(run.series)} series`)}
</div>
${facts([
  ['Chunks', chunks ? chunksText(chunks) : `${countText(run.chunks)}, being settled`],
  ['Begun', ago(run.createdMs, nowMs)],
])}</div>`;
}

const figure = (amount: string, what: string, more?: string): Html =>
  html`<p><span class="amount">${amount}</span> ${what}${more !== undefined && detail(more)}</p>`;

export function kindOf({ backfillId, recovery }: RunRecord): Html | undefined {
  const kind = recovery ? 'recovery' : backfillId === null ? undefined : 'backfill';
  return kind && html` <span class="muted">${kind}</span>`;
}

const STATES = ['done', 'active', 'waiting', 'delayed', 'failed'] as const;

const chunksText = (chunks: ChunkStates): string =>
  STATES.filter((state) => chunks[state] > 0)
    .map((state) => `${countText(chunks[state])} ${state}`)
    .join(' · ');

export const progressBar = ({ share }: { readonly share: number }): Html =>
  html`<progress max="1" value="${share.toFixed(3)}" aria-label="done">${formatShare(share)}</progress>`;

export function runsSection({ runs, nowMs }: Overview): Html {
  if (runs.length === 0) {
    return html`<section id="runs"><h2>Runs</h2>${nothing('No run yet: no gap has been found.')}</section>`;
  }
  return html`<section id="runs"><h2>Runs</h2>${runsTable(runs, nowMs)}</section>`;
}

export const runsTable = (runs: readonly RunRecord[], nowMs: number): Html =>
  tableBox(
    'The last runs',
    html`<thead><tr><th scope="col">Run</th><th scope="col">State</th><th scope="col">Direction</th><th scope="col">Window (UTC)</th><th scope="col" class="number">Chunks</th><th scope="col" class="number">Samples copied</th><th scope="col" class="number">Bytes</th></tr></thead>
<tbody>${runs.map((run) => runRow(run, nowMs))}</tbody>`,
  );

export const RUN_BADGES = {
  open: badge('busy', 'open'),
  paused: badge('idle', 'paused'),
  cancelled: badge('idle', 'cancelled'),
  settled: badge('good', 'settled'),
  superseded: badge('idle', 'superseded'),
} as const;

const runRow = (run: RunRecord, nowMs: number): Html => html`<tr data-key="${run.id}">
<td><a href="${runHref(run.id)}">${run.id}</a><span class="detail">${ago(run.createdMs, nowMs)}</span></td>
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
