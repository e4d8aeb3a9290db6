import {
  type Direction,
  type DirectionKey,
  dutyText,
  formatDirection,
  formatDuration,
  identityText,
  type Mark,
  pinWitness,
  SITES,
  type Site,
  verifiedThroughMs,
} from '@vm-sync/core';
import type { Status } from '@vm-sync/queue';
import { directionOf, type Overview } from '../overview.ts';
import { OUTCOMES } from './checks-section.ts';
import { type Html, html, type Part } from './html.ts';
import { badge, card, detail, facts, nothing } from './parts.ts';
import { ago, behind, countText, instant, spanText } from './text.ts';

export function directionSection({ status, pin }: Overview): Html {
  if (!status) return card('Direction', nothing('Known after the first check.'));
  const direction = directionOf(status);
  const words = direction ? formatDirection(direction) : 'unknown: nothing is written';
  return card(
    'Direction',
    html`<p class="big">${words}</p><p class="muted">${status.activeReason}</p>
${pin !== null && html`<p>${badge('busy', 'pinned')} ${pinWitness(pin).text}</p>`}
${status.active && evidence(status.active)}`,
  );
}

/** What each witness says, and whether it is evidence enough for writing. */
function evidence({ witnesses, whyNoWriting }: NonNullable<Status['active']>): Html {
  const writing =
    whyNoWriting === null
      ? badge('good', 'allowed')
      : [badge('busy', 'not now'), detail(whyNoWriting)];
  const rows = witnesses.map(
    ({ name, says, text }) =>
      [`Witness: ${name}`, [says ?? 'takes no side', detail(text)]] as const,
  );
  return facts([...rows, ['Writing', writing]]);
}

export function sitesSection({ status, duty, nowMs }: Overview): Html {
  const rows: (readonly [string, Part])[] = SITES.map((site) => [site, siteHealth(status, site)]);
  if (duty) rows.push([`${duty.role}'s vm-sync`, dutyText(duty, nowMs)]);
  return card('Sites', facts(rows));
}

function siteHealth(status: Status | undefined, site: Site): Part {
  const view = status?.sites[site];
  const here = status?.role === site ? html` <span class="muted">here</span>` : undefined;
  if (!view) return [badge('idle', 'not seen yet'), here];
  if (!view.healthy) return [badge('bad', 'down'), here, detail(view.url), detail(view.reason)];
  const { url, readOnly } = view.observation;
  const state = readOnly ? badge('bad', 'read-only') : badge('good', 'up');
  return [state, here, detail(url), detail(identityText(status.state.identity, site))];
}

export function throughSection({ status, nowMs }: Overview): Html {
  if (!status) return card('Verified through', nothing('Nothing is proven yet.'));
  const rows = DIRECTIONS.map(
    ([key, name]) => [name, markText(status.state.marks[key], nowMs)] as const,
  );
  return card('Verified through', facts(rows));
}

const DIRECTIONS: readonly (readonly [DirectionKey, string])[] = [
  ['primary-to-dr', 'primary → dr'],
  ['dr-to-primary', 'dr → primary'],
];

function markText(mark: Mark | null, nowMs: number): Part {
  if (!mark) return 'nothing yet';
  const [first, ...more] = mark.unproven;
  const open =
    first &&
    detail(
      `not proven: ${spanText(first, nowMs)}${more.length > 0 ? ` and ${more.length} more` : ''}`,
    );
  const throughMs = verifiedThroughMs(mark);
  return [
    instant(throughMs, nowMs),
    html`<span class="detail">${behind(throughMs, nowMs)}</span>`,
    open,
  ];
}

export function checkSection({ status, nowMs }: Overview): Html {
  if (!status) return card('Last check', nothing('None yet.'));
  const { state, tallied, cleanChecksWanted } = status;
  const rows: (readonly [string, Part])[] = [
    ['Outcome', [OUTCOMES[status.outcome], ' ', ago(status.atMs, nowMs)]],
    ['Took', formatDuration(status.tookMs)],
    ['Clean in a row', `${state.consecutiveClean}, ${cleanChecksWanted} wanted`],
  ];
  if (tallied) rows.push(...tallyRows(tallied, directionOf(status)));
  return card('Last check', facts(rows));
}

function tallyRows(
  tallied: NonNullable<Status['tallied']>,
  direction: Direction | undefined,
): (readonly [string, Part])[] {
  const { series, sourceSamples, destinationSamples, gaps, missing, tolerated, extra } = tallied;
  const rows: (readonly [string, Part])[] = [
    ['Series compared', countText(series)],
    [`Samples, ${direction?.source ?? 'source'}`, countText(sourceSamples)],
    [`Samples, ${direction?.destination ?? 'destination'}`, countText(destinationSamples)],
    ['Gaps', gaps === 0 ? 'none' : `${countText(gaps)} · ${countText(missing)} samples`],
  ];
  if (tolerated > 0) rows.push(['Tolerated', `${countText(tolerated)} samples`]);
  if (extra > 0) rows.push(['Extra', `${countText(extra)} samples`]);
  return rows;
}
