import {
  type Certificate,
  deviceName,
  formatDirection,
  formatDuration,
  formatWindow,
  SITES,
} from '@vm-sync/core';
import { type CertificateView, viewCertificate } from '@vm-sync/queue';
import type { Config } from '@vm-sync/runtime';
import { answer, EXIT, type ExitCode, iso, type Json, number, table } from '../output.ts';
import { withRedis } from '../redis.ts';

/** The parity certificate; exit 0 only when it is valid now. */
export const certificate = (config: Config, options: Json): Promise<ExitCode> =>
  withRedis(config, async ({ store, certificates }) => {
    const view = await viewCertificate(await store.loadStatus(), certificates, Date.now());
    if (!view) return EXIT.unknown;
    answer(options, view, describe(view));
    return exitCodeOf(view);
  });

/** Withdrawn is known; that none was made, or none confirmed in time, only where readiness is. */
function exitCodeOf({ state, known }: CertificateView): ExitCode {
  if (state === 'valid') return EXIT.fine;
  return state === 'withdrawn' || known ? EXIT.found : EXIT.unknown;
}

const WORDS = {
  valid: 'VALID',
  withdrawn: 'WITHDRAWN',
  expired: 'EXPIRED',
  none: 'NO CERTIFICATE',
} as const;

function describe(view: CertificateView): string {
  const { certificate: document, sha256 } = view;
  const rows = document ? [...rowsOf(document), ['sha256', sha256 ?? '-'] as const] : [];
  return [`${WORDS[view.state]}${because(view)}`, table(rows)].filter(Boolean).join('\n\n');
}

function because(view: CertificateView): string {
  if (view.state === 'valid') return view.certificate ? `: ${view.certificate.says}` : '';
  const at = view.state === 'none' ? '' : ` ${iso(view.atMs)}`;
  return `${at}: ${view.reason}`;
}

function rowsOf(of: Certificate): [string, string][] {
  const { direction, proof, check, repaired, beyondRepair, sites } = of;
  return [
    ['certificate', `${of.id}, issued ${iso(of.issuedMs)} by ${of.issuedBy}'s vm-sync`],
    ['valid until', `${iso(of.validUntilMs)}, confirmed last ${iso(of.renewedMs)}`],
    ['direction', `${formatDirection(direction)}: ${of.active.reason}`],
    ...of.proven.map((one): [string, string] => [
      `proven ${formatDirection(one.direction)}`,
      `${formatWindow({ fromMs: one.fromMs, toMs: one.throughMs })}${exceptions(one)}`,
    ]),
    ['level of proof', `${proof.level}, GAP_THRESHOLD ${proof.threshold}`],
    ['tolerated', `${number(proof.toleratedSamples)} samples`],
    [
      'last check',
      `${number(check.series)} series, ${number(check.sourceSamples)} samples; ${check.cleanInARow} clean in a row`,
    ],
    ...repaired.byDirection.map((one): [string, string] => [
      `repaired ${formatDirection(one.direction)}`,
      `${number(one.samples)} samples in ${number(one.runs)} runs since ${iso(repaired.sinceMs)}`,
    ]),
    ['beyond repair', `${number(beyondRepair.listed.length + beyondRepair.more)} windows`],
    ...(of.surplus === null ? [] : [['surplus', of.surplus] as [string, string]]),
    ...(of.differingValues === null
      ? []
      : [['values differ', of.differingValues] as [string, string]]),
    ...SITES.map((site): [string, string] => [site, siteText(sites[site])]),
    ...deviceRows(of),
  ];
}

const exceptions = ({ unproven }: Certificate['proven'][number]): string => {
  const open = unproven.listed.length + unproven.more;
  return open === 0 ? '' : `, except ${number(open)} windows`;
};

function siteText({ url, version, dedupMs, retentionMs }: Certificate['sites']['dr']): string {
  const said = (ms: number | null) => (ms === null ? 'not said' : formatDuration(ms));
  const dedup = dedupMs === 0 ? 'off' : said(dedupMs);
  return `${url}, version ${version ?? 'not said'}, deduplication ${dedup}, retention ${said(retentionMs)}`;
}

/** More are for the page and `--json`. */
const MOST_DEVICES = 10;

function deviceRows({ devices, direction }: Certificate): [string, string][] {
  if (!devices.table) return [['devices', `not counted: ${devices.reason}`]];
  const { rows, rest, source, destination } = devices.table;
  const text = (a: typeof source, b: typeof source) =>
    `${direction.source} ${number(a.samples)} samples of ${number(a.series)} series, ${direction.destination} ${number(b.samples)} of ${number(b.series)}`;
  const shown = rows.slice(0, MOST_DEVICES);
  const more = rows.length - shown.length + rest.devices;
  return [
    ['counted', `${formatWindow(devices.window)}, as of ${iso(devices.atMs)}`],
    ...shown.map((row): [string, string] => [deviceName(row), text(row.source, row.destination)]),
    ...(more > 0 ? [[`and ${number(more)} more`, ''] as [string, string]] : []),
    ['all devices', text(source, destination)],
  ];
}
