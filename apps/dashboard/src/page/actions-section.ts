import type { Person } from '../http/person.ts';
import type { Overview } from '../overview.ts';
import { type Html, html } from './html.ts';
import { actionHref } from './links.ts';
import { countText } from './text.ts';

/** The ways to what is most wanted now; each asks before it does anything. */
export function actionsSection(
  { status, repairsPaused, jobs }: Overview,
  person?: Person,
): Html | undefined {
  if (person?.role === 'viewer') return undefined;
  const failed = jobs.repairs['failed'] ?? 0;
  const stuck = status?.state.stuck.attempted.filter((one) => one.stuck && !one.acknowledged) ?? [];
  const ways = [
    ['Check now', actionHref('check')],
    repairsPaused
      ? ['Resume repairs', actionHref('resume')]
      : ['Pause repairs', actionHref('pause')],
    failed > 0 && [`Retry ${countOf(failed, 'failed chunk')}`, actionHref('retry')],
    stuck.length > 0 && [
      `Acknowledge ${countOf(stuck.length, 'stuck gap')}`,
      actionHref('acknowledge', { gap: 'all' }),
    ],
    ['All actions', '/actions'],
  ].filter((one) => one !== false) as [string, string][];
  return html`<nav class="ways" aria-label="Actions">${ways.map(([text, href]) => html`<a class="button plain" href="${href}">${text}</a> `)}</nav>`;
}

const countOf = (amount: number, one: string): string =>
  `${countText(amount)} ${one}${amount === 1 ? '' : 's'}`;
