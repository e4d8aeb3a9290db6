import { formatDuration } from '@vm-sync/core';
import type { PastCheck } from '@vm-sync/queue';
import type { Overview } from '../overview.ts';
import { type Html, html } from './html.ts';
import { badge, nothing, tableBox } from './parts.ts';
import { countText, instant } from './text.ts';

const LISTED = 12;

/** How checks have gone: what they compared, what was missing, how long they took; the oldest on the left. */
export function checksSection({ checks, nowMs }: Overview): Html {
  const [newest] = checks;
  const oldest = checks.at(-1);
  if (!newest || !oldest) {
    return html`<section id="checks"><h2>Checks</h2>${nothing('None has been made yet.')}</section>`;
  }
  const inOrder = checks.toReversed();
  const blind = checks.filter(({ outcome }) => outcome === 'unknown').length;
  const unknown =
    blind > 0 &&
    html` ${badge('busy', `${countText(blind)} unknown`)} <span class="muted">where the line is broken</span>`;
  return html`<section id="checks"><h2>Checks <span class="muted">the last ${countText(checks.length)}, since ${instant(oldest.atMs, nowMs)}</span>${unknown}</h2>
<div class="charts">
${chart('Samples compared', inOrder, ({ samples }) => samples, countText)}
${chart('Samples missing', inOrder, ({ missing }) => missing, countText, 'bad')}
${chart('Time taken', inOrder, ({ tookMs }) => tookMs, formatDuration)}
</div>
<details id="checks-table"><summary>The last ${countText(Math.min(LISTED, checks.length))} checks as a table</summary>${tableBox(
    'The last checks',
    html`<thead><tr><th scope="col">At</th><th scope="col">Outcome</th><th scope="col" class="number">Samples compared</th><th scope="col" class="number">Missing</th><th scope="col" class="number">Took</th></tr></thead>
<tbody>${checks.slice(0, LISTED).map((check) => checkRow(check, nowMs))}</tbody>`,
  )}</details></section>`;
}

export const OUTCOMES = {
  clean: badge('good', 'clean'),
  gaps: badge('bad', 'gaps'),
  unknown: badge('busy', 'unknown'),
} as const;

const orUnknown = (amount: number | null): string => (amount === null ? '–' : countText(amount));

const checkRow = ({ atMs, outcome, samples, missing, tookMs }: PastCheck, nowMs: number): Html =>
  html`<tr data-key="check-${atMs}"><td>${instant(atMs, nowMs)}</td><td>${OUTCOMES[outcome]}</td><td class="number">${orUnknown(samples)}</td><td class="number">${orUnknown(missing)}</td><td class="number">${formatDuration(tookMs)}</td></tr>`;

const HEIGHT = 40;

/** A small chart with its newest and its highest value in words. Values that are not known break the line. */
function chart(
  title: string,
  checks: readonly PastCheck[],
  pick: (check: PastCheck) => number | null,
  text: (value: number) => string,
  style: 'bad' | 'plain' = 'plain',
): Html {
  const values = checks.map(pick);
  const known = values.filter((value) => value !== null);
  const most = Math.max(0, ...known);
  const last = known.at(-1);
  const range = `${last === undefined ? 'unknown' : text(last)} last, ${text(most)} at the most`;
  return html`<figure><figcaption>${title}<b>${last === undefined ? '–' : text(last)}</b></figcaption>
<svg class="${style}" viewBox="0 0 ${Math.max(1, values.length)} ${HEIGHT}" preserveAspectRatio="none" role="img" aria-label="${title}: ${range}">${most > 0 && area(values, most)}</svg>
<span class="detail">${most === 0 ? 'always 0' : `at the most ${text(most)}`}</span></figure>`;
}

/** Steps, each a check wide, filled to the ground. */
function area(values: readonly (number | null)[], most: number): Html {
  let path = '';
  let open = false;
  for (const [at, value] of values.entries()) {
    if (value === null) {
      if (open) path += `V${HEIGHT}z`;
      open = false;
      continue;
    }
    // What is not nothing is seen, however little it is.
    const height = value === 0 ? 0 : Math.max(1.5, (value / most) * (HEIGHT - 2));
    path += `${open ? '' : `M${at} ${HEIGHT}`}V${Number((HEIGHT - height).toFixed(1))}H${at + 1}`;
    open = true;
  }
  return html`<path d="${path}${open ? `V${HEIGHT}z` : ''}"/>`;
}
