import type { AuditLine } from '@vm-sync/queue';
import { type Html, html } from './html.ts';
import { badge, detail, nothing } from './parts.ts';
import { type Frame, shell } from './shell.ts';
import { countText, moment } from './text.ts';

export const auditDocument = (lines: readonly AuditLine[], frame: Frame, nowMs: number): string =>
  shell(
    `Audit · vm-sync ${frame.place}`,
    html`<main><h1>Audit <span class="muted">what persons did, the last first</span></h1>
${auditList(lines, nowMs)}
<p class="muted">The newest ${countText(lines.length)}. <a href="/api/audit">As JSON</a>, which has up to 1,000.</p></main>`,
    frame,
  );

/** Who, when, what, and what came of it. */
export function auditList(lines: readonly AuditLine[], nowMs: number): Html {
  if (lines.length === 0) return nothing('Nobody has done anything yet.');
  return html`<ul class="rows audit">${lines.map((line) => auditRow(line, nowMs))}</ul>`;
}

function auditRow({ atMs, who, by, action, what, result }: AuditLine, nowMs: number): Html {
  const isDone = result === 'done';
  const outcome = isDone ? badge('good', 'done') : badge('bad', 'refused');
  return html`<li><span class="when">${moment(atMs, nowMs)}</span> <strong>${who}</strong> <span class="muted">(${by})</span> <b class="act">${action}</b> ${what} ${outcome}${!isDone && detail(result)}</li>`;
}
