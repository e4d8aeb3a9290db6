import { type Certificate, formatDirection, type Site } from '@vm-sync/core';
import type { CertificateView } from '@vm-sync/queue';
import type { Person } from '../http/person.ts';
import { devicesSection } from './certificate-devices.ts';
import {
  beyondCard,
  checkCard,
  directionCard,
  proofCard,
  provenCard,
  repairedCard,
  settingsSection,
  sitesSection,
} from './certificate-sections.ts';
import { type Html, html, type Part } from './html.ts';
import { tableBox } from './parts.ts';
import { shell } from './shell.ts';
import { ago, moment } from './text.ts';

/** The page of a certificate, to be read, printed and kept: what may be said of it now comes first. */
export const certificateDocument = (
  view: CertificateView,
  place: Site,
  nowMs: number,
  person?: Person,
): string =>
  shell(
    `${WORDS[view.state]} · parity certificate`,
    html`<main>
${verdictSection(view, nowMs)}
${view.certificate !== null && content(view.certificate, view, nowMs)}
${historySection(view, nowMs)}
</main>`,
    { place, person },
  );

const WORDS = {
  valid: 'VALID',
  withdrawn: 'WITHDRAWN',
  expired: 'EXPIRED',
  none: 'NO CERTIFICATE',
} as const;

const SIGNS = { valid: '✓', withdrawn: '✕', expired: '?', none: '?' } as const;

const STYLES = {
  valid: 'ready',
  withdrawn: 'not-ready',
  expired: 'unknown',
  none: 'unknown',
} as const;

function verdictSection(view: CertificateView, nowMs: number): Html {
  return html`<section class="verdict ${STYLES[view.state]}" aria-label="Certificate">
<span class="sign" aria-hidden="true">${SIGNS[view.state]}</span>
<div><h1><span class="muted">Parity certificate</span> <span class="word">${WORDS[view.state]}</span></h1>
${sentence(view, nowMs)}</div>
</section>`;
}

function sentence(view: CertificateView, nowMs: number): Part {
  const { certificate } = view;
  if (view.state === 'none') return html`<p>${view.reason}</p>`;
  if (view.state !== 'valid') {
    return html`<p>${WORDS[view.state].toLowerCase()} ${moment(view.atMs, nowMs)}: ${view.reason}</p>
<p>What it says below was proven until then, and proves nothing now.</p>`;
  }
  return (
    certificate !== null &&
    html`<p>${certificate.says}.</p>
<p>Valid until ${moment(certificate.validUntilMs, nowMs)}, unless a check withdraws it before.</p>`
  );
}

function content(certificate: Certificate, view: CertificateView, nowMs: number): Html {
  return html`<p class="muted">Certificate <strong>${certificate.id}</strong> · ${formatDirection(certificate.direction)} · issued ${moment(certificate.issuedMs, nowMs)} by ${certificate.issuedBy}’s vm-sync · confirmed last ${moment(certificate.renewedMs, nowMs)}</p>
<div class="certified">
${provenCard(certificate)}
${proofCard(certificate)}
${directionCard(certificate)}
${checkCard(certificate, nowMs)}
${repairedCard(certificate, nowMs)}
${beyondCard(certificate)}
</div>
${sitesSection(certificate, nowMs)}
${settingsSection(certificate)}
${devicesSection(certificate, nowMs)}
${verifySection(certificate, view.sha256)}`;
}

function verifySection({ id }: Certificate, sha256: string | null): Html {
  return html`<section><h2>How to verify it</h2>
<p>SHA-256 of its canonical JSON (keys in order, no white space): <code>${sha256 ?? ''}</code></p>
<p><code>curl -s http://THIS-DASHBOARD/api/certificate/${id} | jq -cSj .certificate | sha256sum</code></p>
<p>Whether it is in force now: <code>vm-sync certificate</code>, or <code>/api/certificate</code>. On paper it says what was so, never what is.</p>
</section>`;
}

function historySection({ history }: CertificateView, nowMs: number): Part {
  if (history.length === 0) return undefined;
  const rows = history.map(({ id, direction, issuedMs, ended }) => {
    const end = ended
      ? html`${ended.how} ${moment(ended.atMs, nowMs)}: ${ended.reason}`
      : html`not withdrawn`;
    return html`<tr><td><a href="/certificate/${id}">${id}</a></td><td>${direction}</td><td>${ago(issuedMs, nowMs)}</td><td class="wraps">${end}</td></tr>`;
  });
  return html`<section class="screen-only"><h2>Issued and withdrawn <span class="muted">newest first</span></h2>
${tableBox(
  'Issued and withdrawn',
  html`<thead><tr><th scope="col">Certificate</th><th scope="col">Direction</th><th scope="col">Issued</th><th scope="col">What became of it</th></tr></thead><tbody>${rows}</tbody>`,
)}</section>`;
}
