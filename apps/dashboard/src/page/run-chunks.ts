import { chunkTitle } from '../job-title.ts';
import { CHUNK_STATES, type ChunkState, type RunDetail, type ShownChunk } from '../run-detail.ts';
import { type Html, html, type Part } from './html.ts';
import { jobHref } from './links.ts';
import { badge, nothing } from './parts.ts';
import { ago, bytesText, countText } from './text.ts';

const BADGES: Record<ChunkState, 'good' | 'bad' | 'busy' | 'idle'> = {
  failed: 'bad',
  active: 'busy',
  delayed: 'busy',
  waiting: 'idle',
  done: 'good',
};

const MEANS: Record<ChunkState, string> = {
  failed: 'their tries are used up: mend the cause, then retry them',
  active: 'are being copied',
  delayed: 'wait for their next try',
  waiting: 'wait for a worker',
  done: 'are copied and were read back; the last ones first',
};

/** The chunks by state, what needs a person first; each leads to its job on the board. */
export function chunksSection(of: RunDetail): Html {
  const states = CHUNK_STATES.filter((state) => of.chunks[state].total > 0);
  const title = html`<h2>Chunks <span class="muted">${countText(of.run.chunks)} in all</span></h2>`;
  if (states.length === 0) {
    return html`<section>${title}${nothing('The queue does not remember them any more.')}</section>`;
  }
  return html`<section>${title}${states.map((state) => listOf(state, of))}</section>`;
}

function listOf(state: ChunkState, { chunks, nowMs }: RunDetail): Html {
  const { total, shown } = chunks[state];
  const more = total - shown.length;
  return html`<h3 class="chunks">${badge(BADGES[state], `${countText(total)} ${state}`)} <span class="muted">${MEANS[state]}</span></h3>
<ul class="rows">${shown.map((chunk) => chunkRow(chunk, state, nowMs))}${more > 0 && html`<li class="muted">and ${countText(more)} more</li>`}</ul>`;
}

function chunkRow(chunk: ShownChunk, state: ChunkState, nowMs: number): Html {
  const { jobId, order } = chunk;
  const title = order ? chunkTitle(order, nowMs) : jobId;
  return html`<li><a href="${jobHref('repairs', jobId)}">${title}</a> <span class="muted">${noteOf(chunk, state, nowMs)}</span>${state !== 'done' && chunk.error !== undefined && html`<span class="detail">${chunk.error}</span>`}</li>`;
}

function noteOf(chunk: ShownChunk, state: ChunkState, nowMs: number): Part {
  const { order, finished, failedMs, tries } = chunk;
  if (state === 'done') {
    if (!finished) return undefined;
    return html`${countText(finished.samples)} samples, ${bytesText(finished.bytes)}, ${ago(finished.atMs, nowMs)}`;
  }
  const samples = order && `${countText(order.chunk.samples)} samples`;
  const tried = tries > 1 && `, tried ${countText(tries)} times`;
  const failed = state === 'failed' && failedMs !== undefined && html`, ${ago(failedMs, nowMs)}`;
  return [samples, tried, failed];
}
