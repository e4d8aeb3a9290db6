import type { SyncState } from '@vm-sync/core';
import type { AuditLine } from '@vm-sync/queue';
import type { Person } from '../http/person.ts';
import type { Overview } from '../overview.ts';
import {
  acceptCard,
  backfillCard,
  checkCard,
  directionCard,
  failedCard,
  passiveCard,
  repairsCard,
  stuckCard,
} from './action-cards.ts';
import { auditList } from './audit-document.ts';
import { html } from './html.ts';
import { shell } from './shell.ts';

export interface ActionsView {
  readonly overview: Overview;
  readonly state: SyncState | undefined;
  readonly lines: readonly AuditLine[];
  readonly person: Person;
  /** What was done a moment ago. */
  readonly done: string | undefined;
  readonly isBoth: boolean;
}

const CARDS = [
  checkCard,
  repairsCard,
  failedCard,
  stuckCard,
  backfillCard,
  directionCard,
  passiveCard,
  acceptCard,
];

/** Plain forms that lead to a page that says what will happen, and asks. */
export function actionsDocument(view: ActionsView): string {
  const { overview, lines, person, done } = view;
  const notice = done !== undefined && html`<p class="notice" role="status">${done}</p>`;
  const cards =
    person.role === 'viewer'
      ? html`<p class="card">You are logged in as ${person.name}, a viewer: you may look at everything. Acting needs an operator.</p>`
      : html`<p class="muted">Each asks before it does anything.</p><div class="actions">${CARDS.map((card) => card(view))}</div>`;
  return shell(
    `Actions · vm-sync ${overview.role}`,
    html`<main>${notice}<h1>Actions</h1>${cards}
<section><h2>Done last <span class="muted"><a href="/audit">all of the audit log</a></span></h2>${auditList(lines, overview.nowMs)}</section></main>`,
    { place: overview.role, person, live: false },
  );
}
