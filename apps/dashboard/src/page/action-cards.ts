import {
  type Attempt,
  directionOf,
  formatDirection,
  formatShare,
  isUnfinished,
  openOf,
  pinWitness,
  SITES,
  stuckId,
  surplusSentence,
} from '@vm-sync/core';
import type { ActionsView } from './actions-document.ts';
import { type Html, html, type Part } from './html.ts';
import { actionHref, runHref } from './links.ts';
import { badge, bounded, card, detail, nothing } from './parts.ts';
import { ago, countText, spanText } from './text.ts';

const SHOWN = 10;

/** A way to an action's confirmation; a link, because it changes nothing. */
const way = (text: string, href: string): Html =>
  html`<a class="button" href="${href}">${text}</a>`;

interface Field {
  readonly name: string;
  readonly label: string;
  readonly control: (id: string) => Html;
}

/** A form that leads to an action's confirmation. */
const form = (action: string, fields: readonly Field[], button: string): Html =>
  html`<form method="get" action="/actions/${action}">${fields.map(({ name, label, control }) => {
    const id = `${action}-${name}`;
    return html`<p class="field"><label for="${id}">${label}</label>${control(id)}</p>`;
  })}<p><button type="submit">${button}</button></p></form>`;

const text = (name: string, label: string, example: string, isRequired = false): Field => ({
  name,
  label,
  control: (id) =>
    html`<input id="${id}" name="${name}" placeholder="${example}" autocomplete="off" spellcheck="false"${isRequired && html` required`}>`,
});

const select = (
  name: string,
  label: string,
  options: readonly (readonly [string, string])[],
): Field => ({
  name,
  label,
  control: (id) =>
    html`<select id="${id}" name="${name}">${options.map(([value, shown]) => html`<option value="${value}">${shown}</option>`)}</select>`,
});

const OUTCOMES = { clean: 'was clean', gaps: 'found gaps', unknown: 'could not find out' } as const;

export function checkCard({ overview: { status, nowMs } }: ActionsView): Html {
  const last = status
    ? html`<p>The last one ${OUTCOMES[status.outcome]}, ${ago(status.atMs, nowMs)}.</p>`
    : nothing('None has been made yet.');
  return card('Check', [last, html`<p>${way('Check now', actionHref('check'))}</p>`]);
}

export function repairsCard({ overview }: ActionsView): Html {
  const { repairsPaused, openRuns } = overview;
  const paused = repairsPaused
    ? html`<p>${badge('busy', 'paused')} No worker takes a chunk.</p><p>${way('Resume repairs', actionHref('resume'))}</p>`
    : html`<p>Workers take chunks.</p><p>${way('Pause repairs', actionHref('pause'))}</p>`;
  const runs = openRuns.map(
    ({ run, progress }) =>
      html`<li><a href="${runHref(run.id)}">${formatDirection(run.direction)}, ${formatShare(progress.share)} done</a>${detail(run.id)}${way('Cancel run', actionHref('cancel-run', { run: run.id }))}</li>`,
  );
  return card('Repairs', [
    paused,
    runs.length > 0 && html`<ul class="rows">${bounded(runs, SHOWN)}</ul>`,
  ]);
}

export function failedCard({ overview }: ActionsView): Html {
  const { jobs, openRuns } = overview;
  const failed = jobs.repairs['failed'] ?? 0;
  if (failed === 0) return card('Failed chunks', nothing('None.'));
  const runs = openRuns.map(({ run }) => [run.id, run.id] as const);
  return card('Failed chunks', [
    html`<p>${badge('bad', countText(failed))} wait to be tried again. Mend what their errors name first.</p>`,
    form(
      'retry',
      [
        select('run', 'Of run', [['', 'any'], ...runs]),
        select('direction', 'Direction', [
          ['', 'any'],
          ['primary-to-dr', 'primary → dr'],
          ['dr-to-primary', 'dr → primary'],
        ]),
        text('error', 'Whose error contains', 'such as 503; empty for any'),
      ],
      'Retry failed chunks',
    ),
  ]);
}

export function stuckCard({ overview: { nowMs }, state }: ActionsView): Html {
  const stuck = state?.stuck.attempted.filter((one) => one.stuck) ?? [];
  if (stuck.length === 0) return card('Stuck gaps', nothing('None.'));
  const open = stuck.filter(({ acknowledged }) => !acknowledged);
  const rows = [...open, ...stuck.filter(({ acknowledged }) => acknowledged)].map((one) =>
    stuckRow(one, nowMs),
  );
  return card('Stuck gaps', [
    html`<p>A repair was made, and changed nothing. Acknowledging says that this is known; READY stays withheld.</p>`,
    html`<ul class="rows">${bounded(rows, SHOWN)}</ul>`,
    open.length > 1 &&
      html`<p>${way(`Acknowledge all ${countText(open.length)}`, actionHref('acknowledge', { gap: 'all' }))}</p>`,
  ]);
}

function stuckRow(gap: Attempt, nowMs: number): Html {
  const { direction, window, samples, acknowledged } = gap;
  const word = acknowledged
    ? html`<span class="detail">acknowledged by ${acknowledged.who}, ${ago(acknowledged.atMs, nowMs)}</span>`
    : way('Acknowledge', actionHref('acknowledge', { gap: stuckId(gap) }));
  return html`<li>${formatDirection(directionOf(direction))}, ${spanText(window, nowMs)}${detail(`${countText(samples)} samples`)}${word}</li>`;
}

export function backfillCard({ overview: { backfills, nowMs } }: ActionsView): Html {
  const rows = backfills
    .filter(({ backfill }) => isUnfinished(backfill))
    .map(({ backfill: { id, direction, window, state }, share }) => {
      const change = state === 'paused' ? 'resume' : 'pause';
      return html`<li>${formatDirection(directionOf(direction))}, ${spanText(window, nowMs)}, ${state}${detail(`${id}: ${formatShare(share.provenOrRepaired)} proven or repaired`)}${way(change === 'pause' ? 'Pause' : 'Resume', actionHref(`${change}-backfill`, { id }))} ${way('Cancel', actionHref('cancel-backfill', { id }))}</li>`;
    });
  return card('Backfill', [
    html`<p>Proves and repairs a range of time. A dry run shows first what it would copy; that may take a while.</p>`,
    rows.length > 0 && html`<ul class="rows">${bounded(rows, SHOWN)}</ul>`,
    form(
      'backfill',
      [
        text('from', 'From (UTC, or how long ago)', '2026-11-01T00:00:00Z or 72h', true),
        text('to', 'To', '2026-11-04T00:00:00Z or 1h', true),
        text('match', 'Only these series', '{job="node"}; empty for all'),
      ],
      'Dry run',
    ),
  ]);
}

export function directionCard({ overview: { pin } }: ActionsView): Html {
  const pinned: Part = pin
    ? html`<p>${badge('busy', 'pinned')} ${pinWitness(pin).text}</p><p>${way('End the pin', actionHref('unpin'))}</p>`
    : html`<p>Nothing is pinned: DNS or ACTIVE_SITE decides.</p>`;
  const sites = SITES.map((site) => [site, site] as const);
  return card('Direction', [
    pinned,
    form(
      'pin',
      [
        select('site', 'The active site is', sites),
        text('for', 'For (a week at the most)', '30m, 2h or 1d', true),
      ],
      pin ? 'Pin anew' : 'Pin',
    ),
  ]);
}

export function passiveCard({ state, isBoth }: ActionsView): Html {
  const title = 'On the passive site only';
  if (isBoth) return card(title, nothing('With SYNC_DIRECTION=both it is recovered by itself.'));
  const sentence = state && surplusSentence(state, isBoth);
  const order = state?.reconcile?.state === 'open' ? state.reconcile : undefined;
  if (!state || (sentence === undefined && !order)) return card(title, nothing('Nothing.'));
  const said = sentence !== undefined && html`<p>${sentence}</p>`;
  if (!order) {
    const recover = way('Recover it: dry run', actionHref('reconcile'));
    return card(title, [said, html`<p>${recover}</p>`]);
  }
  const left = openOf(order, state.marks[order.direction]?.unproven ?? []).length;
  return card(title, [
    said,
    html`<p>Reconcile ${order.id} is under way: ${countText(left)} windows are not proven yet.</p>`,
    html`<p>${way('Cancel the reconcile', actionHref('cancel-reconcile'))}</p>`,
  ]);
}

export function acceptCard({ state }: ActionsView): Html {
  const refusal = state?.identity.refusal ?? null;
  const doubt =
    refusal === null
      ? html`<p>vm-sync knows both databases by their markers. There is nothing to accept.</p>`
      : html`<p>${badge('bad', 'in doubt')} ${refusal}</p>`;
  const ways = SITES.map((site) => [
    way(`Accept ${site}'s database`, actionHref('accept', { site })),
    ' ',
  ]);
  return card('Databases', [doubt, refusal !== null && html`<p>${ways}</p>`]);
}
