import {
  type BackfillChange,
  type CopyEstimate,
  directionOf,
  formatDirection,
  formatDuration,
  formatWindow,
  NOTHING_UNDER_WAY,
  readBackfillWish,
  whyElsewhere,
  whyNoBackfill,
  whyUnchangeable,
} from '@vm-sync/core';
import { type Html, html } from '../page/html.ts';
import { bounded, facts } from '../page/parts.ts';
import { bytesText, countText, spanText } from '../page/text.ts';
import { type Confirm, NothingToConfirmError, textOf } from './confirmation.ts';

const SHOWN = 10;

/** The dry run comes first: its figures are what a person agrees to. */
export const confirmBackfill: Confirm = async ({ config, dutyStore, forecasts, store }, query) => {
  const nowMs = Date.now();
  const match = query.getAll('match').filter((text) => text.trim() !== '');
  const wish = { from: textOf(query, 'from'), to: textOf(query, 'to'), match };
  const range = readBackfillWish(wish, {
    nowMs,
    settleMs: config.settleMs,
    stepMs: config.queryStepMs,
  });
  const state = await store.loadState();
  const duty = await dutyStore.loadView();
  const elsewhere = duty && whyElsewhere(duty);
  const refusal = state && whyNoBackfill(state, range);
  if (refusal !== undefined) throw new NothingToConfirmError(409, refusal);
  const forecast = await forecasts.backfill(range);
  const { direction, lacking, samples, series, chunks, atLeast, byCountsOnly } = forecast;
  const least = atLeast ? 'at least ' : '';
  const found =
    samples > 0
      ? html`The dry run found ${least}<strong>${countText(samples)} samples</strong> of up to ${countText(series)} series missing on ${direction.destination}, in ${countText(lacking.length)} windows.`
      : byCountsOnly
        ? 'The dry run found nothing missing by counts. A backfill compares the rest of it exactly.'
        : 'The dry run found nothing missing. A backfill would only prove it.';
  return {
    title: 'Begin this backfill?',
    says: [
      html`${formatDirection(direction)}, ${[formatWindow(forecast.window), ...forecast.match].join(' ')}`,
      found,
      samples > 0 && figures(forecast, chunks),
      lacking.length > 0 &&
        html`<ul class="rows">${bounded(
          lacking.map((window) => html`<li>${spanText(window, nowMs)}</li>`),
          SHOWN,
        )}</ul>`,
      elsewhere !== undefined && `Here it only proves the range: ${elsewhere} too.`,
      'It copies only what is missing then, behind the regular repairs, and can be paused and cancelled.',
    ],
    post: '/api/backfills',
    fields: [
      // What the figures are of, also when it is confirmed a while later.
      ['from', new Date(range.window.fromMs).toISOString()],
      ['to', new Date(range.window.toMs).toISOString()],
      ...range.match.map((text) => ['match', text] as const),
    ],
    button: 'Begin the backfill',
  };
};

const figures = (estimate: CopyEstimate, chunks: number): Html =>
  facts([
    ['Chunks', countText(chunks)],
    ['Bytes', `about ${bytesText(estimate.bytes)} (${estimate.bytesBasis})`],
    [
      'Time',
      `${estimate.takesMs === null ? 'unknown' : `about ${formatDuration(estimate.takesMs)}`} (${estimate.timeBasis})`,
    ],
  ]);

const CHANGES: Record<BackfillChange, { readonly title: string; readonly says: string }> = {
  pause: {
    title: 'Pause this backfill?',
    says: 'Its chunks wait without using up tries, until it is resumed. Regular repairs go on.',
  },
  resume: { title: 'Resume this backfill?', says: 'Its chunks are taken up again at once.' },
  cancel: {
    title: 'Cancel this backfill?',
    says: 'Nothing more is copied for it; what has been copied stays. Chunks under way end without harm.',
  },
};

export const confirmBackfillChange =
  (change: BackfillChange): Confirm =>
  async ({ store }, query) => {
    const id = textOf(query, 'id');
    const backfill = (await store.loadState())?.backfills.find((one) => one.id === id);
    const refusal = whyUnchangeable(backfill, id, change);
    if (!backfill || refusal !== undefined) {
      throw new NothingToConfirmError(backfill ? 409 : 404, refusal ?? '');
    }
    const { direction, window, match } = backfill;
    return {
      title: CHANGES[change].title,
      says: [
        `${id}: ${formatDirection(directionOf(direction))}, ${[formatWindow(window), ...match].join(' ')}`,
        CHANGES[change].says,
      ],
      post: `/api/backfills/${encodeURIComponent(id)}/${change}`,
      button: CHANGES[change].title.replace(/\?$/, ''),
    };
  };

export const confirmReconcile: Confirm = async ({ forecasts }) => {
  const nowMs = Date.now();
  const forecast = await forecasts.reconcile();
  const { direction, windows, samples, series, chunks } = forecast;
  const { source, destination } = direction;
  if (samples === 0) {
    throw new NothingToConfirmError(
      409,
      `nothing to reconcile: ${destination} holds everything that ${source} has`,
    );
  }
  return {
    title: 'Recover what only the passive site has?',
    says: [
      html`The dry run found <strong>${countText(samples)} samples</strong> of up to ${countText(series)} series on ${source} only, in ${countText(windows.length)} windows. They are copied to ${destination}, the active site, once.`,
      figures(forecast, chunks),
      html`<ul class="rows">${bounded(
        windows.map((window) => html`<li>${spanText(window, nowMs)}</li>`),
        SHOWN,
      )}</ul>`,
      'Series that were deleted on the active site alone come back by this.',
    ],
    post: '/api/reconcile',
    button: 'Recover',
  };
};

export const confirmCancelReconcile: Confirm = async ({ store }) => {
  const reconcile = (await store.loadState())?.reconcile;
  if (reconcile?.state !== 'open') throw new NothingToConfirmError(409, NOTHING_UNDER_WAY);
  return {
    title: 'Cancel the reconcile?',
    says: [`${reconcile.id}: nothing more is copied for it; what has been copied stays.`],
    post: '/api/reconcile/cancel',
    button: 'Cancel the reconcile',
  };
};
