import {
  type Certificate,
  formatDirection,
  formatDuration,
  type Listed,
  type ProvenDirection,
  SITES,
  type Window,
} from '@vm-sync/core';
import { type Html, html, type Part } from './html.ts';
import { badge, card, detail, facts, nothing, tableBox } from './parts.ts';
import { bytesText, countText, datedSpanText, moment } from './text.ts';

export function provenCard({ proven }: Certificate): Html {
  const rows = proven.map((one) => [formatDirection(one.direction), provenText(one)] as const);
  return card('What is proven', facts(rows));
}

function provenText(one: ProvenDirection): Part {
  const { fromMs, throughMs, earlier, unproven, surveyed } = one;
  const whole =
    unproven.listed.length === 0 ? badge('good', 'all of') : badge('busy', 'not all of');
  return [
    html`${whole} ${datedSpanText({ fromMs, toMs: throughMs })}`,
    windowsLine('besides', earlier),
    windowsLine('not proven', unproven),
    surveyed && detail('before that: counts per series and day agree, back to the retention'),
  ];
}

/** A list for people: the newest few. */
function windowsLine(what: string, { listed, more }: Listed<Window>): Part {
  if (listed.length === 0) return undefined;
  const shown = listed.slice(-3).map(datedSpanText);
  const left = listed.length - shown.length + more;
  return detail(`${what}: ${shown.join(', ')}${left > 0 ? ` and ${countText(left)} more` : ''}`);
}

const LEVELS: Record<Certificate['proof']['level'], string> = {
  prints:
    'Every series and bucket, to the sample: counts and prints of the timestamps on both sites',
  intervals:
    'Every series and bucket, to the deduplication interval: the sites deduplicate differently',
};

export function proofCard({ proof, surplus, differingValues }: Certificate): Html {
  const { level, threshold, toleratedSamples } = proof;
  const share = `${Math.round(threshold * 1000) / 10} % of the source’s samples (GAP_THRESHOLD)`;
  const rows: (readonly [string, Part])[] = [
    ['Level of proof', LEVELS[level]],
    ['A bucket is whole from', threshold === 1 ? 'every sample (GAP_THRESHOLD 1)' : share],
    ['Tolerated', `${countText(toleratedSamples)} samples in what the last check compared`],
    ['Only on the passive site', surplus ?? 'nothing that is known'],
    ['Differing values', differingValues ?? 'none that are known'],
  ];
  return card('How it was proven', facts(rows));
}

export function directionCard({ active, direction }: Certificate): Html {
  const witnesses = active.witnesses.map(
    ({ name, says, text }) =>
      [`Witness: ${name}`, [says ?? 'takes no side', detail(text)]] as const,
  );
  return card(
    'Direction',
    html`<p class="big">${formatDirection(direction)}</p><p class="muted">${active.site} is the active site: ${active.reason} (epoch ${active.epoch})</p>${facts(witnesses)}`,
  );
}

export function checkCard({ check, direction }: Certificate, nowMs: number): Html {
  return card(
    'The checks it rests on',
    facts([
      ['Clean in a row', `${check.cleanInARow}, ${check.cleanWanted} wanted`],
      ['The last', [moment(check.atMs, nowMs), detail(`took ${formatDuration(check.tookMs)}`)]],
      ['Series compared', countText(check.series)],
      [`Samples, ${direction.source}`, countText(check.sourceSamples)],
      [`Samples, ${direction.destination}`, countText(check.destinationSamples)],
      ['Gaps', countText(check.gaps)],
    ]),
  );
}

export function repairedCard({ repaired }: Certificate, nowMs: number): Html {
  const { sinceMs, byDirection } = repaired;
  const since =
    sinceMs === null
      ? html`<p class="muted">In all runs that are remembered.</p>`
      : html`<p class="muted">Since the certificate before ended, ${moment(sinceMs, nowMs)}.</p>`;
  if (byDirection.length === 0) return card('What was repaired', [since, nothing('Nothing.')]);
  const rows = byDirection.map(
    ({ direction, runs, samples, bytes }) =>
      [
        formatDirection(direction),
        `${countText(samples)} samples in ${countText(runs)} ${runs === 1 ? 'run' : 'runs'}, ${bytesText(bytes)}`,
      ] as const,
  );
  return card('What was repaired', [since, facts(rows)]);
}

export function beyondCard({ beyondRepair: { listed, more } }: Certificate): Html {
  const title = 'Beyond repair';
  if (listed.length === 0) return card(title, nothing('Nothing.'));
  const rows = listed.map(
    ({ window, reason, samplesMissing }) =>
      [
        datedSpanText(window),
        [
          reason,
          samplesMissing !== null && detail(`at least ${countText(samplesMissing)} samples`),
        ],
      ] as const,
  );
  return card(title, [facts(rows), more > 0 && nothing(`and ${countText(more)} older windows`)]);
}

const UNSAID = 'not said';

const age = (ms: number | null): string => {
  if (ms === null) return UNSAID;
  return ms === 0 ? 'off' : formatDuration(ms);
};

export function sitesSection({ sites, findings, pair }: Certificate, nowMs: number): Html {
  const line = (name: string, show: (site: Certificate['sites']['dr']) => Part) =>
    html`<tr><th scope="row" class="wraps">${name}</th>${SITES.map((site) => html`<td class="wraps">${show(sites[site])}</td>`)}</tr>`;
  return html`<section><h2>Both databases</h2>
${tableBox(
  'Both databases',
  html`<thead><tr><td></td>${SITES.map((site) => html`<th scope="col">${site}</th>`)}</tr></thead><tbody>
${line('URL', ({ url }) => url)}
${line('Version', ({ version }) => version ?? UNSAID)}
${line('Deduplication (-dedup.minScrapeInterval)', ({ dedupMs }) => age(dedupMs))}
${line('Retention (-retentionPeriod)', ({ retentionMs }) => age(retentionMs))}
${line('Oldest it accepts (-maxBackfillAge)', ({ maxBackfillAgeMs }) => (maxBackfillAgeMs === null ? 'no limit known' : age(maxBackfillAgeMs)))}
${line('Started', ({ startedMs }) => (startedMs === null ? UNSAID : moment(startedMs, nowMs)))}
${line(`Marker${pair === null ? '' : `, pair ${pair}`}`, ({ marker }) => marker)}
</tbody>`,
)}
${findings.length > 0 && html`<ul>${findings.map((text) => html`<li>${text}</li>`)}</ul>`}
</section>`;
}

export function settingsSection({ settings, issuedBy }: Certificate): Html {
  const { selectors, queryStepMs, queryWindowMs, settleMs, syncDirection } = settings;
  return html`<section><h2>Settings of ${issuedBy}’s vm-sync</h2>
${facts([
  ['Compared', selectors.map((text) => html`<code>${text}</code> `)],
  ['Buckets of', `${formatDuration(queryStepMs)} (QUERY_STEP)`],
  ['Looked at again each time', `${formatDuration(queryWindowMs)} (QUERY_WINDOW)`],
  ['Judged when older than', `${formatDuration(settleMs)} (SETTLE_SECONDS)`],
  ['Repairs', `${syncDirection} (SYNC_DIRECTION)`],
])}</section>`;
}
