import type { RunRecord } from '@vm-sync/queue';
import { type Html, html } from './html.ts';
import { nothing } from './parts.ts';
import { runsTable } from './run-sections.ts';
import { type Frame, shell } from './shell.ts';
import { countText } from './text.ts';

interface PageOfRuns {
  readonly runs: readonly RunRecord[];
  readonly total: number;
  /** From 1. */
  readonly page: number;
  readonly pages: number;
}

export const runsDocument = (of: PageOfRuns, frame: Frame, nowMs: number): string =>
  shell(
    `Runs · vm-sync ${frame.place}`,
    html`<main><h1>Runs <span class="muted">${countText(of.total)} remembered, the last first</span></h1>
${of.total === 0 ? nothing('No run yet: no gap has been found.') : runsTable(of.runs, nowMs)}
${of.pages > 1 && pager(of)}</main>`,
    frame,
  );

const pager = ({ page, pages }: PageOfRuns): Html =>
  html`<nav class="ways" aria-label="Pages of runs">${page > 1 && html`<a class="button plain" href="/runs?page=${page - 1}">Newer</a> `}<span class="muted">page ${page} of ${pages}</span>${page < pages && html` <a class="button plain" href="/runs?page=${page + 1}">Older</a>`}</nav>`;
