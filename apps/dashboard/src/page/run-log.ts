import { formatDuration } from '@vm-sync/core';
import type { RunDetail } from '../run-detail.ts';
import { type Html, html, type Part } from './html.ts';
import { badge } from './parts.ts';
import { countText, moment } from './text.ts';

interface Entry {
  readonly atMs: number;
  readonly text: Part;
}

const EVENTS_SHOWN = 20;

/** What happened to the run, and around it while it lasted; the last first. */
export function logSection(of: RunDetail): Html {
  const entries = [...ofRun(of), ...ofOthers(of)].sort((a, b) => b.atMs - a.atMs);
  return html`<section><h2>Log <span class="muted">the last first</span></h2><ul class="rows events">${entries.map(
    ({ atMs, text }) =>
      html`<li><span class="when">${moment(atMs, of.nowMs)}</span> <span>${text}</span></li>`,
  )}</ul></section>`;
}

function ofRun({ run, finished, chunks }: RunDetail): Entry[] {
  const planned = `started: ${countText(run.chunks)} chunks, ${countText(run.samplesPlanned)} samples`;
  const entries: Entry[] = [{ atMs: run.createdMs, text: planned }];
  const [first] = finished;
  const last = finished.at(-1);
  if (first) entries.push({ atMs: first.atMs, text: 'the first chunk is done' });
  if (last && last !== first) {
    const done = `chunk ${countText(finished.length)} of ${countText(run.chunks)} is done`;
    entries.push({ atMs: last.atMs, text: done });
  }
  for (const { jobId, failedMs, tries, error } of chunks.failed.shown) {
    if (failedMs === undefined) continue;
    const text = html`${badge('bad', 'failed')} ${jobId}, after ${countText(tries)} tr${tries === 1 ? 'y' : 'ies'}: ${error ?? 'no reason given'}`;
    entries.push({ atMs: failedMs, text });
  }
  if (run.settledMs !== null) {
    const took = formatDuration(run.settledMs - run.createdMs);
    const text = `${run.state}: ${countText(run.samplesCopied)} samples copied in ${took}`;
    entries.push({ atMs: run.settledMs, text });
  }
  return entries;
}

/** What persons did to this run or to all, and what was told meanwhile. */
function ofOthers({ run, lines, events }: RunDetail): Entry[] {
  const acted = lines
    .filter(({ action, what, result }) => {
      if (result !== 'done') return false;
      if (what.includes(run.id)) return true;
      const isOfAll = !/\brun /.test(what);
      return isOfAll && ['retry', 'pause', 'resume'].includes(action);
    })
    .map(({ atMs, who, action, what }) => ({
      atMs,
      text: html`${badge('idle', action)} by ${who}${what !== '' && html` <span class="muted">${what}</span>`}`,
    }));
  const told = events
    .filter(({ text }) => !isAboutAnother(text, run.id))
    .slice(0, EVENTS_SHOWN)
    .map(({ atMs, text }) => ({ atMs, text: html`<span class="muted">${text}</span>` }));
  return [...acted, ...told];
}

/** Of events that name a run only those of this one belong here. */
const isAboutAnother = (text: string, runId: string): boolean =>
  /^Run \S/.test(text) && !text.includes(runId);
