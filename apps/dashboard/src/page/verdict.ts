import { directionKey, surplusSentence } from '@vm-sync/core';
import { directionOf, type Overview } from '../overview.ts';
import { type Html, html, type Part } from './html.ts';
import { ago } from './text.ts';

export type VerdictWord = 'READY' | 'NOT READY' | 'UNKNOWN';

export function verdictWord({ readiness: { ready, known } }: Overview): VerdictWord {
  if (!known) return 'UNKNOWN';
  return ready ? 'READY' : 'NOT READY';
}

const STYLES: Record<VerdictWord, string> = {
  READY: 'ready',
  'NOT READY': 'not-ready',
  UNKNOWN: 'unknown',
};

/** The sentence that people act on, and why it is said. */
export function verdictSection(overview: Overview): Html {
  const word = verdictWord(overview);
  return html`<section class="verdict ${STYLES[word]}" aria-label="Failback">
<p class="word"><span class="muted">Failback</span> ${word}</p>
${word === 'READY' ? proof(overview) : reasons(overview)}
</section>`;
}

function proof({ status, isBoth, nowMs }: Overview): Part {
  const direction = status && directionOf(status);
  if (!direction) return undefined;
  const { source, destination } = direction;
  const checks = status.state.consecutiveClean;
  const key = directionKey(direction);
  const beyond = status.state.beyondRepair.filter((one) => one.direction === key).length;
  const except = beyond > 0 && ', except what is beyond repair';
  const surplus = surplusSentence(status.state, isBoth);
  const beside = surplus !== undefined && html`<p>But ${surplus}.</p>`;
  return html`<p>${destination} holds everything that ${source} has${except}: ${checks} clean check${checks === 1 ? '' : 's'} in a row, the last ${ago(status.atMs, nowMs)}.</p>${beside}`;
}

function reasons({ readiness, status }: Overview): Html {
  const hint =
    status === undefined &&
    html`<p>The scheduler makes its first check within seconds of its start. If this stays, see whether it runs: <code>vm-sync scheduler</code>, or the service <code>vm-sync</code>.</p>`;
  return html`<ul>${readiness.reasons.map((reason) => html`<li>${reason}</li>`)}</ul>${hint}`;
}
