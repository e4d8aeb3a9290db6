import {
  directionOf,
  formatDirection,
  formatDuration,
  pinAt,
  readPinWish,
  stuckId,
} from '@vm-sync/core';
import { AcceptRequest, stuckGaps, toAcknowledge } from '@vm-sync/queue';
import { html } from '../page/html.ts';
import { bounded } from '../page/parts.ts';
import { countText, spanText } from '../page/text.ts';
import { type Confirm, NothingToConfirmError, textOf } from './confirmation.ts';

/** A person's word about the direction, about stuck gaps, and about who is who. */

export const confirmPin: Confirm = async (_, query) => {
  const nowMs = Date.now();
  const lasts = textOf(query, 'for');
  const pin = readPinWish({ site: textOf(query, 'site'), for: lasts }, nowMs);
  const forMs = pin.untilMs - nowMs;
  return {
    title: `Pin the direction: ${pin.site} is the active site?`,
    says: [
      html`For ${formatDuration(forMs)} <strong>${pin.site} counts as the active site</strong>, whatever DNS says: at once, for comparing and for writing. Samples are copied from ${pin.site} to the other site.`,
      'Pin while the record or its lease is wrong and you know better. A wrong pin copies the wrong way, which cannot be undone.',
    ],
    post: '/api/pin',
    fields: [
      ['site', pin.site],
      ['for', lasts],
    ],
    button: `Pin to ${pin.site}`,
  };
};

export const confirmUnpin: Confirm = async ({ store }) => {
  const pin = pinAt((await store.loadState())?.pin ?? null, Date.now());
  if (!pin) throw new NothingToConfirmError(409, 'nothing is pinned');
  return {
    title: 'End the pin?',
    says: [
      `${pin.site} is pinned until ${new Date(pin.untilMs).toISOString()}. Without the pin the direction follows DNS or ACTIVE_SITE again: at once for comparing, and for writing when a second answer a TTL later is the same.`,
    ],
    post: '/api/unpin',
    button: 'End the pin',
  };
};

const SHOWN = 10;

export const confirmAcknowledge: Confirm = async ({ store }, query) => {
  const gap = textOf(query, 'gap');
  if (gap === '') throw new NothingToConfirmError(400, 'expected gap: the name of one, or all');
  const open = toAcknowledge(await stuckGaps(store), gap);
  const nowMs = Date.now();
  const rows = open.map(
    (one) =>
      html`<li>${formatDirection(directionOf(one.direction))}, ${spanText(one.window, nowMs)} <span class="muted">${countText(one.samples)} samples, tried ${countText(one.times)} times</span></li>`,
  );
  return {
    title: `Acknowledge ${open.length === 1 ? 'this stuck gap' : `${countText(open.length)} stuck gaps`}?`,
    says: [
      html`<ul class="rows">${bounded(rows, SHOWN)}</ul>`,
      'It is remembered, with your name, that this is known. It is not shown as needing attention any more.',
      html`<strong>READY stays withheld</strong>: the samples are missing all the same. When the gap changes, or the destination restarts, it is tried again, and told again if that changes nothing.`,
    ],
    post: '/api/acknowledge',
    fields: [['gap', open.length === 1 && open[0] ? stuckId(open[0]) : 'all']],
    button: 'Acknowledge',
  };
};

export const confirmAccept: Confirm = async ({ store }, query) => {
  const wish = AcceptRequest.safeParse({ site: textOf(query, 'site') });
  if (!wish.success) throw new NothingToConfirmError(400, 'expected site: primary or dr');
  const { site } = wish.data;
  const refusal = (await store.loadState())?.identity.refusal ?? null;
  return {
    title: `Accept ${site}'s database?`,
    says: [
      `You confirm that the VictoriaMetrics at ${site}'s URL is ${site}'s, whatever marker it carries. The next check marks it anew and goes on.`,
      refusal === null
        ? 'vm-sync has no doubt about either database now: there is no need for it.'
        : html`vm-sync says now: ${refusal}.`,
      'A wrong word here may fill the wrong database. A wrong URL is mended in the settings, not here.',
    ],
    post: '/api/accept',
    fields: [['site', site]],
    button: `Accept ${site}'s database`,
  };
};
