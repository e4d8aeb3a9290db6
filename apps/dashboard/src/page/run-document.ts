import { formatDirection, formatDuration, formatShare } from '@vm-sync/core';
import type { RunCause } from '@vm-sync/queue';
import type { Person } from '../http/person.ts';
import type { RunDetail } from '../run-detail.ts';
import { type Html, html, type Part } from './html.ts';
import { actionHref, jobHref } from './links.ts';
import { bounded, card, detail, facts, nothing } from './parts.ts';
import { progressChart } from './run-chart.ts';
import { chunksSection } from './run-chunks.ts';
import { logSection } from './run-log.ts';
import { kindOf, progressBar, RUN_BADGES } from './run-sections.ts';
import { shell } from './shell.ts';
import { ago, bytesText, countText, instant, spanText } from './text.ts';

interface Around {
  readonly role: string;
  readonly person: Person;
  readonly done: string | undefined;
}

/** A run: what was planned and why, how far it is, and what came of it. */
export function runDocument(of: RunDetail, { role, person, done }: Around): string {
  const { run, progress } = of;
  const isLive = run.settledMs === null && run.state !== 'superseded';
  return shell(
    `${isLive ? `${formatShare(progress.share)} · ` : ''}Run ${run.id} · vm-sync ${role}`,
    html`<main>${done !== undefined && html`<p class="notice" role="status">${done}</p>`}
<h1>Run <span class="muted">${run.id}</span></h1>
<p class="big">${formatDirection(run.direction)}${kindOf(run)} ${RUN_BADGES[run.state]}</p>
${person.role === 'operator' && ways(of)}
<div class="actions">${planCard(of)}${resultCard(of)}</div>
${progressChart(of)}
${chunksSection(of)}
${logSection(of)}
</main>`,
    { place: role, person, live: isLive },
  );
}

function ways({ run, chunks }: RunDetail): Html | undefined {
  const canCancel = run.state === 'open' || run.state === 'paused';
  const failed = chunks.failed.total;
  if (!canCancel && failed === 0) return undefined;
  return html`<nav class="ways" aria-label="Actions on this run">${failed > 0 && html`<a class="button plain" href="${actionHref('retry', { run: run.id })}">Retry ${countText(failed)} failed chunk${failed > 1 && 's'}</a> `}${canCancel && html`<a class="button plain" href="${actionHref('cancel-run', { run: run.id })}">Cancel this run</a>`}</nav>`;
}

const WINDOWS_SHOWN = 5;

function planCard({ run, nowMs }: RunDetail): Html {
  const windows = run.windows.map((window) => html`<li>${spanText(window, nowMs)}</li>`);
  return card(
    'Plan',
    facts([
      ['Cause', causeText(run.cause, run.backfillId, run.recovery)],
      ['Direction', [formatDirection(run.direction), detail(`epoch ${run.epoch}`)]],
      ['Begun', instant(run.createdMs, nowMs)],
      ['Windows (UTC)', html`<ul class="bare">${bounded(windows, WINDOWS_SHOWN)}</ul>`],
      [
        'Lacking',
        `${countText(run.samplesPlanned)} samples of up to ${countText(run.series)} series`,
      ],
      ['Chunks', countText(run.chunks)],
    ]),
  );
}

const REASONS: Record<RunCause['reason'], string> = {
  schedule: 'the regular check',
  start: 'the check at the start of the scheduler',
  confirm: 'the check after a repair',
  direction: 'the check that confirmed the direction',
  operator: 'a check that a person asked for',
  duty: 'the check after taking over',
};

/** Which check planned it, and whose wish it was. */
function causeText(cause: RunCause | null, backfillId: string | null, recovery: boolean): Part {
  const wish =
    backfillId !== null
      ? `backfill ${backfillId}`
      : recovery
        ? 'what only the passive site has'
        : undefined;
  if (!cause) return wish ?? 'not noted by an older version';
  const by = cause.who !== null && html`, asked for by <strong>${cause.who}</strong>`;
  const check = html`<a href="${jobHref('checks', cause.checkId)}">${REASONS[cause.reason]}</a>`;
  if (wish === undefined) return html`gaps found by ${check}${by}`;
  return html`${wish}${by}<span class="detail">planned by ${check}</span>`;
}

function resultCard({ run, progress, unproven, nowMs }: RunDetail): Html {
  const hasEnded = run.settledMs !== null;
  const isOver = hasEnded || run.state === 'superseded';
  const samples = hasEnded ? run.samplesCopied : progress.samplesCopied;
  const bytes = hasEnded ? run.bytesCopied : progress.bytesCopied;
  const rows: (readonly [string, Part])[] = [
    ['Copied', `${countText(samples)} samples, ${bytesText(bytes)}`],
  ];
  // When a superseded one ended nobody has noted.
  if (hasEnded || !isOver) {
    const tookMs = (run.settledMs ?? nowMs) - run.createdMs;
    rows.push([hasEnded ? 'Took' : 'Time so far', formatDuration(tookMs)]);
  }
  if (run.state === 'open' || run.state === 'paused') {
    const { share, leftMs, basis } = progress;
    const left = leftMs === null ? 'time left unknown' : `${formatDuration(leftMs)} left`;
    rows.unshift([
      'Done',
      html`${progressBar(progress)} ${formatShare(share)}, ${left}${detail(basis)}`,
    ]);
  }
  if (run.settledMs !== null) rows.push(['Ended', ago(run.settledMs, nowMs)]);
  rows.push(['Remains', remainsText(run.state === 'open', unproven, nowMs)]);
  return card(isOver ? 'Result' : 'Progress', facts(rows));
}

/** Only a check proves: what was copied a moment ago still remains to be proven. */
function remainsText(isOpen: boolean, unproven: RunDetail['unproven'], nowMs: number): Part {
  if (!unproven) return nothing('not known');
  if (unproven.length === 0) return 'nothing: all of its time is proven';
  const rows = unproven.map((window) => html`<li>${spanText(window, nowMs)}</li>`);
  return html`${isOpen ? 'not proven yet:' : 'not proven yet, by the last check:'}<ul class="bare">${bounded(rows, WINDOWS_SHOWN)}</ul>`;
}
