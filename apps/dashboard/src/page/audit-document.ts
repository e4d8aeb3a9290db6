import type { AuditLine } from '@vm-sync/queue';
import { type Html, html } from './html.ts';
import { badge, nothing } from './parts.ts';
import { shell } from './shell.ts';
import { countText, instant } from './text.ts';

export const auditDocument = (lines: readonly AuditLine[], place: string, nowMs: number): string =>
  shell(
    `Audit · vm-sync ${place}`,
    html`<main><h1>Audit <span class="muted">what persons did, the last first</span></h1>
${auditTable(lines, nowMs)}
<p class="muted">The newest ${countText(lines.length)}. <a href="/api/audit">As JSON</a>, which has up to 1,000.</p></main>`,
    place,
  );

/** Who, when, what, and what came of it. */
export function auditTable(lines: readonly AuditLine[], nowMs: number): Html {
  if (lines.length === 0) return nothing('Nobody has done anything yet.');
  return html`<div class="wide" tabindex="0" role="region" aria-label="Audit lines"><table class="audit">
<thead><tr><th scope="col">When</th><th scope="col">Who</th><th scope="col">By</th><th scope="col">Action</th><th scope="col">What</th><th scope="col">Result</th></tr></thead>
<tbody>${lines.map((line) => auditRow(line, nowMs))}</tbody></table></div>`;
}

const auditRow = ({ atMs, who, by, action, what, result }: AuditLine, nowMs: number): Html =>
  html`<tr><td>${instant(atMs, nowMs)}</td><td>${who}</td><td>${by}</td><td>${action}</td><td class="long">${what}</td><td class="long">${result === 'done' ? badge('good', 'done') : result}</td></tr>`;
