import { findingText } from '@vm-sync/core';
import type { Overview } from '../overview.ts';
import { type Html, html } from './html.ts';
import { badge } from './parts.ts';

/** What stands in the way of the sites being equal, by what they say of themselves. */
export function twinsSection({ status }: Overview): Html | undefined {
  const twins = status?.twins ?? [];
  if (twins.length === 0) return undefined;
  const rows = twins.map((found) => html`<li>${BADGES[found.severity]} ${findingText(found)}</li>`);
  return html`<section id="twins"><h2>Settings and clocks</h2>
<ul class="rows">${rows}</ul></section>`;
}

const BADGES = { fault: badge('bad', 'fault'), advice: badge('idle', 'advice') } as const;
