import { directionKey, surplusSentence } from '@vm-sync/core';
import { directionOf, type Overview } from '../overview.ts';
import { type Html, html, type Part } from './html.ts';
import { ago } from './text.ts';

export type VerdictWord = 'READY' | 'NOT READY' | 'UNKNOWN';

export function verdictWord({ readiness: { ready, known } }: Overview): VerdictWord {
  if (!known) return 'UNKNOWN';
  return ready ? 'READY' : 'NOT READY';
}

/** The signs say the same as the words and colours. */
const STYLES: Record<VerdictWord, { readonly style: string; readonly sign: string }> = {
  READY: { style: 'ready', sign: '✓' },
  'NOT READY': { style: 'not-ready', sign: '✕' },
  UNKNOWN: { style: 'unknown', sign: '?' },
};

/** The sentence that people act on, and why it is said. */
export function verdictSection(overview: Overview): Html {
  const word = verdictWord(overview);
  const { style, sign } = STYLES[word];
  const [sentence, more] = word === 'READY' ? proof(overview) : reasons(overview);
  return html`<section id="verdict" class="verdict ${style}" aria-label="Failback">
<span class="sign" aria-hidden="true">${sign}</span>
<div><h1><span class="muted">Failback</span> <span class="word">${word}</span> <span class="why">${sentence}</span></h1>${more}</div>
</section>`;
}

type Said = readonly [sentence: Part, more: Part];

function proof({ status, isBoth, nowMs }: Overview): Said {
  const direction = status && directionOf(status);
  if (!direction) return [undefined, undefined];
  const { source, destination } = direction;
  const checks = status.state.consecutiveClean;
  const key = directionKey(direction);
  const beyond = status.state.beyondRepair.filter((one) => one.direction === key).length;
  const except = beyond > 0 && ', except what is beyond repair';
  const surplus = surplusSentence(status.state, isBoth);
  return [
    html`${destination} holds everything that ${source} has${except}: ${checks} clean check${checks === 1 ? '' : 's'} in a row, the last ${ago(status.atMs, nowMs)}.`,
    surplus !== undefined && html`<p>But ${surplus}.</p>`,
  ];
}

function reasons({ readiness, status }: Overview): Said {
  const [first, ...others] = readiness.reasons;
  const hint =
    status === undefined &&
    html`<p>The scheduler makes its first check within seconds of its start. If this stays, see whether it runs: <code>vm-sync scheduler</code>, or the service <code>vm-sync</code>.</p>`;
  return [
    first,
    [others.length > 0 && html`<ul>${others.map((reason) => html`<li>${reason}</li>`)}</ul>`, hint],
  ];
}
