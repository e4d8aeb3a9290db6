import { directionOf, formatShare, type GapMapAxis, type GapMaps } from '@vm-sync/core';
import type { Overview } from '../overview.ts';
import {
  type GapMapView,
  gapMapView,
  type Level,
  type Stretch,
  type Strip,
  type ViewRow,
} from './gap-map-view.ts';
import { type Html, html, type Part } from './html.ts';
import { nothing, tableBox } from './parts.ts';
import { ago, clockText, countText, instant, spanText } from './text.ts';

/** What is lost, where and when: as it was found on the left, as it is now on the right. */
export function gapMapSection({ gapMaps, nowMs }: Overview): Html {
  const view = gapMaps && gapMapView(gapMaps);
  if (!gapMaps || !view) {
    const sentence = gapMaps ? 'No gap has been found.' : 'Drawn by the first check.';
    return html`<section id="gap-map"><h2>Gap map</h2>${nothing(sentence)}</section>`;
  }
  const columns = { view, nowMs };
  return html`<section id="gap-map"><h2>Gap map</h2>
${summary(gapMaps, view, nowMs)}
<table class="map">
<caption class="unseen">Share of samples missing on ${destinationOf(view)}, by ${labelText(view)} and time</caption>
<thead><tr><th scope="col">${labelText(view)}</th><th scope="col">when found</th><th scope="col">now</th></tr></thead>
<tbody>${view.rows.map((row) => mapRow(row, columns))}</tbody>
<tfoot><tr><td></td>${[0, 1].map(() => html`<td>${axis(view, nowMs)}</td>`)}</tr></tfoot>
</table>
${legend(view)}
${asTable(columns)}</section>`;
}

const destinationOf = ({ direction }: GapMapView): string => directionOf(direction).destination;

const labelText = ({ label }: GapMapView): string => (label === '__name__' ? 'metric' : label);

const groupText = (group: string | null): string => group ?? 'all others';

/** The map in words: for who cannot see it, and for who has no time. */
function summary({ checkedMs, sinceMs }: GapMaps, view: GapMapView, nowMs: number): Html {
  const { before, now } = view;
  const site = destinationOf(view);
  const lost = (totals: GapMapView['before']) =>
    html`<b>${countText(totals.missing)}</b> samples${
      view.basis === 'group' && ` (${shareText(totals)} of ${countText(totals.expected)})`
    }${totals.window && html`, ${spanText(totals.window, nowMs)} UTC`}`;
  const left =
    now.missing === 0
      ? html`<b>Now it lacks nothing</b>`
      : now.missing === before.missing
        ? html`<b>It still lacks all of that</b>`
        : html`Now it lacks ${lost(now)}, ${inGroups(view, 'now')}`;
  const found = sinceMs !== null && html`, found ${instant(sinceMs, nowMs)}`;
  return html`<p>${site} lacked ${lost(before)}, ${inGroups(view, 'before')}${found}. ${left}, as of ${ago(checkedMs, nowMs)}.</p>`;
}

/** One is named; of several it is said how many there are. */
function inGroups(view: GapMapView, which: 'before' | 'now'): string {
  const { groups } = view[which];
  const [only] = view.rows.filter((row) => row[which].missing > 0);
  return groups === 1 && only
    ? `in ${groupText(only.group)}`
    : `in ${countText(groups)} groups by ${labelText(view)}`;
}

interface Shown {
  readonly view: GapMapView;
  readonly nowMs: number;
}

const mapRow = ({ group, before, now }: ViewRow, shown: Shown): Html => html`<tr>
<th scope="row">${groupText(group)}</th>
<td>${strip(before, shown)}</td>
<td>${strip(now, shown)}</td></tr>`;

/** A level is told by height as well as by colour, and what a row lacks by a number beside it. */
const HEIGHTS: Record<Level, number> = {
  blank: 1,
  none: 0,
  few: 0.3,
  part: 0.5,
  most: 0.75,
  all: 1,
};

function strip(of: Strip, { view, nowMs }: Shown): Html {
  return html`<div class="strip"><svg viewBox="0 0 ${view.columns} 1" preserveAspectRatio="none" role="img" aria-label="${stripText(of, nowMs)}">${of.stretches.map((one) => bar(one, nowMs))}</svg><span class="${of.missing > 0 ? 'lost' : 'muted'}">${shareText(of)}</span></div>`;
}

function bar({ level, at, columns, ...of }: Stretch, nowMs: number): Part {
  if (level === 'none') return undefined;
  const height = HEIGHTS[level];
  const text =
    level === 'blank' ? 'no samples' : `${shareText(of)} missing (${countText(of.missing)})`;
  return html`<rect class="${level}" x="${at}" y="${1 - height}" width="${columns}" height="${height}"><title>${spanText(of.window, nowMs)}: ${text}</title></rect>`;
}

/** Something is never shown as nothing, nor as everything. */
function shareText({ missing, expected }: Pick<Strip, 'missing' | 'expected'>): string {
  if (missing === 0) return expected === 0 ? '–' : '0 %';
  const share = missing / expected;
  return share < 0.01 ? '< 1 %' : formatShare(share);
}

function stripText(of: Strip, nowMs: number): string {
  if (of.missing === 0) return of.expected === 0 ? 'no samples' : 'nothing missing';
  const hit = of.stretches.filter(({ missing }) => missing > 0);
  const [first, last] = [hit[0], hit.at(-1)];
  const window = { fromMs: first?.window.fromMs ?? 0, toMs: last?.window.toMs ?? 0 };
  return `${countText(of.missing)} samples missing, ${spanText(window, nowMs)}`;
}

function axis({ fromMs, columnMs, columns }: GapMapAxis, nowMs: number): Html {
  const atMs = [0, Math.floor(columns / 2), columns].map((at) => fromMs + at * columnMs);
  return html`<div class="axis">${atMs.map((one) => html`<span>${clockText(one, nowMs)}</span>`)}</div>`;
}

const LEGEND: readonly (readonly [Level, string])[] = [
  ['none', 'complete'],
  ['few', 'below 10 % missing'],
  ['part', 'below half'],
  ['most', 'half or more'],
  ['all', 'all missing'],
  ['blank', 'no samples on the source'],
];

function legend(view: GapMapView): Html {
  const whole = view.whole > 0 && `${countText(view.whole)} more lack nothing. `;
  const basis =
    view.basis === 'affected' &&
    'Shares are of the series with a gap: the source could not be counted by group. ';
  return html`<p class="legend">${LEGEND.map(
    ([level, text]) =>
      html`<span><svg viewBox="0 0 1 1" aria-hidden="true"><rect class="${level}" y="${1 - HEIGHTS[level]}" width="1" height="${HEIGHTS[level]}"/></svg>${text}</span>`,
  )}<span class="muted">${whole}${basis}Times in UTC.</span></p>`;
}

function asTable({ view, nowMs }: Shown): Html {
  const rows = view.rows.map(
    ({ group, before, now }) => html`<tr><th scope="row">${groupText(group)}</th>
<td class="number">${countText(before.expected)}</td>
<td class="number">${countText(before.missing)}</td>
<td class="number">${countText(now.missing)}</td>
<td>${before.missing + now.missing > 0 && stripText(now.missing > 0 ? now : before, nowMs).replace(/^.*missing, /, '')}</td></tr>`,
  );
  return html`<details id="gap-map-table"><summary>The map as a table</summary>${tableBox(
    'The gap map as a table',
    html`<thead><tr><th scope="col">${labelText(view)}</th><th scope="col" class="number">samples on the source</th><th scope="col" class="number">missing when found</th><th scope="col" class="number">missing now</th><th scope="col">from – to (UTC)</th></tr></thead><tbody>${rows}</tbody>`,
  )}</details>`;
}
