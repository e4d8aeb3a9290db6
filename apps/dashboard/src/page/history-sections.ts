import { QUEUES } from '@vm-sync/queue';
import { chunkTitle } from '../job-title.ts';
import type { FailedChunk, Overview } from '../overview.ts';
import { type Html, html } from './html.ts';
import { badge, nothing } from './parts.ts';
import { ago, countText, instant } from './text.ts';

/** What waits for a person: chunks whose tries are used up. */
export function failedSection({ failedChunks, jobs, nowMs }: Overview): Html | undefined {
  if (failedChunks.length === 0) return undefined;
  const total = jobs.repairs['failed'] ?? failedChunks.length;
  const board = `/queues/queue/${QUEUES.repairs}?status=failed`;
  return html`<section id="failed"><h2>Failed chunks <span class="muted">${countText(total)} in all</span></h2>
<p>Their tries are used up. Mend what each names, then <a href="${board}">retry them on the board</a>.</p>
<ul class="rows">${failedChunks.map((chunk) => failedRow(chunk, nowMs))}</ul></section>`;
}

function failedRow({ jobId, order, failedMs, error, advice }: FailedChunk, nowMs: number): Html {
  const href = `/queues/queue/${QUEUES.repairs}/${encodeURIComponent(jobId)}`;
  const title = order ? chunkTitle(order, nowMs) : `job ${jobId}`;
  return html`<li data-key="${jobId}"><a href="${href}">${title}</a> <span class="muted">${failedMs !== undefined && ago(failedMs, nowMs)}</span><span class="detail">${error}</span>${advice !== undefined && html`<span class="detail">What to do: ${advice}</span>`}</li>`;
}

const SEVERITIES = {
  info: badge('idle', 'info'),
  warn: badge('busy', 'warning'),
  error: badge('bad', 'error'),
} as const;

export function eventsSection({ events, nowMs }: Overview): Html {
  if (events.length === 0) {
    return html`<section id="events"><h2>Events</h2>${nothing('Nothing has happened yet.')}</section>`;
  }
  return html`<section id="events"><h2>Events</h2><ul class="rows events">${events.map(
    ({ atMs, severity, text }) =>
      html`<li data-key="${atMs} ${text}"><span class="when">${instant(atMs, nowMs)}</span> ${SEVERITIES[severity]} <span>${text}</span></li>`,
  )}</ul></section>`;
}
