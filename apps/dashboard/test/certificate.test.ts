/// <reference lib="dom" />
import { join } from 'node:path';
import { type Certificate, type DeviceAmount, deviceTable, recordsAfter } from '@vm-sync/core';
import { CertificateStore, certificateDigest, connect, type Status } from '@vm-sync/queue';
import { launchBrowser } from '@vm-sync/testkit/browser';
import { expect, onTestFinished, test } from 'vitest';
import { inaccessible, watchPage } from './look.ts';
import { type Bench, gapsStatus, readyStatus, startBench, unknownStatus } from './setup.ts';

const HOUR_MS = 3_600_000;

const devices = (lost: number): DeviceAmount[] =>
  Array.from({ length: 60 }, (_, at) => ({
    label: 'instance',
    name: `bigip-${String(at + 1).padStart(2, '0')}.example.com:443`,
    series: 412 + (at % 5),
    samples: 98_880 - (at === 7 ? lost : 0),
  }));

function certificateOf({ horizonMs, state, validUntilMs, atMs }: Status): Certificate {
  const [toMs, fromMs] = [horizonMs as number, (horizonMs as number) - 72 * HOUR_MS];
  const proven = { fromMs, throughMs: toMs, earlier: { listed: [], more: 0 }, surveyed: true };
  const site = {
    url: 'http://192.168.100.144:8428',
    version: 'v1.145.0',
    startedMs: fromMs,
    dedupMs: 60_000,
    retentionMs: 2_160 * HOUR_MS,
    maxBackfillAgeMs: null,
  };
  return {
    format: 'vm-sync parity certificate 1',
    id: '20261126-030000-4f2a9c',
    issuedBy: 'dr',
    pair: 'a1b2c3d4e5f6',
    issuedMs: atMs - 600_000,
    renewedMs: atMs,
    validUntilMs,
    direction: { source: 'dr', destination: 'primary' },
    says: 'primary holds what dr has in 2026-11-23T01:55:00Z – 2026-11-26T01:55:00Z: at least 90 % of each series in each bucket (GAP_THRESHOLD), and all but 12 samples of what the last check compared; beyond repair: 1 window',
    active: {
      site: 'dr',
      reason: 'DNS record failover.example.com answers 192.168.100.143, the dr site',
      epoch: 4,
      witnesses: [
        { name: 'address', says: 'dr', text: 'failover.example.com answers 192.168.100.143' },
        { name: 'freshness', says: null, text: 'newest sample: both <just> now' },
      ],
    },
    proven: [
      {
        ...proven,
        direction: { source: 'dr', destination: 'primary' },
        unproven: { listed: [], more: 0 },
      },
      {
        ...proven,
        direction: { source: 'primary', destination: 'dr' },
        unproven: { listed: [{ fromMs: toMs - HOUR_MS, toMs }], more: 3 },
      },
    ],
    proof: { level: 'prints', threshold: 0.9, toleratedSamples: 12 },
    check: {
      ...(readyStatus().tallied as NonNullable<Status['tallied']>),
      atMs,
      tookMs: 1_240,
      cleanInARow: state.consecutiveClean,
      cleanWanted: 3,
    },
    repaired: {
      sinceMs: fromMs + HOUR_MS,
      byDirection: [
        {
          direction: { source: 'dr', destination: 'primary' },
          runs: 4,
          samples: 12_345_678,
          bytes: 98_765_432,
        },
      ],
    },
    beyondRepair: {
      listed: [
        {
          window: { fromMs: fromMs - 900 * HOUR_MS, toMs: fromMs - 899 * HOUR_MS },
          reason: 'older than primary keeps (-retentionPeriod)',
          samplesMissing: 400,
        },
      ],
      more: 0,
    },
    surplus: null,
    differingValues: null,
    sites: {
      primary: { ...site, marker: "carries primary's marker of pair a1b2c3d4e5f6" },
      dr: { ...site, version: null, marker: "carries dr's marker of pair a1b2c3d4e5f6" },
    },
    findings: ['primary accepts nothing older than 30d (-maxBackfillAge)'],
    settings: {
      selectors: ['{__name__!="",__name__!~"vmsync_.+"}'],
      queryStepMs: 300_000,
      queryWindowMs: HOUR_MS,
      settleMs: 180_000,
      syncDirection: 'active-to-passive',
    },
    devices: {
      atMs,
      window: { fromMs: toMs - 24 * HOUR_MS, toMs },
      table: deviceTable(devices(0), devices(9)),
      reason: null,
    },
  };
}

/** A dashboard whose Redis holds a READY status and its certificate. */
async function benchWithCertificate(): Promise<Bench & { status: Status; made: Certificate }> {
  const bench = await startBench();
  const client = connect(bench.redis.url, 'brief');
  onTestFinished(() => client.disconnect());
  const status = readyStatus();
  const made = certificateOf(status);
  await new CertificateStore(client).keep(made);
  const issued = { certificate: made, sha256: certificateDigest(made), atMs: made.renewedMs };
  const ready = { ...status, certificates: recordsAfter([], issued) };
  await bench.store.saveStatus(ready);
  return { ...bench, status: ready, made };
}

const answer = async (bench: Bench, path = '/api/certificate') =>
  JSON.parse((await bench.get(path)).text);

test('the certificate is valid while READY is; its digest can be computed again', async () => {
  const bench = await benchWithCertificate();
  const { certificate, ...more } = await answer(bench);
  expect(certificate).toEqual(bench.made);
  expect(more).toMatchObject({ state: 'valid', known: true, history: [{ id: bench.made.id }] });
  expect(more.sha256).toBe(certificateDigest(certificate));
  expect(await answer(bench, `/api/certificate/${bench.made.id}`)).toMatchObject({
    state: 'valid',
  });
  const unknown = await bench.get('/api/certificate/20200101-000000-aaaaaa');
  expect([unknown.status, JSON.parse(unknown.text)]).toEqual([
    404,
    { error: 'there is no such certificate, or it is too old to be remembered' },
  ]);
  expect((await bench.get('/parity/primary')).status).toBe(200);
});

test('READY without its certificate is not said anywhere', async () => {
  const bench = await benchWithCertificate();
  const { certificates = [], ...status } = bench.status;
  const ended = recordsAfter(certificates, { atMs: Date.now(), reasons: ['a new gap'] });
  const other = certificates.map((one) => ({ ...one, direction: 'primary-to-dr' as const }));
  const expired = certificates.map((one) => ({ ...one, validUntilMs: Date.now() - 1 }));
  for (const without of [
    status,
    { ...status, certificates: [] },
    { ...status, certificates: ended },
    { ...status, certificates: other },
    { ...status, certificates: expired },
  ]) {
    await bench.store.saveStatus(without);
    const parity = await bench.get('/parity/primary');
    expect([parity.status, parity.text]).toEqual([
      503,
      'primary is not proven complete: no certificate: the last check issued none for this direction\n',
    ]);
    expect((await answer(bench)).state).not.toBe('valid');
    const { readiness } = await answer(bench, '/api/status');
    expect(readiness.ready).toBe(false);
    expect((await bench.get('/metrics')).text).toContain('vmsync_ready 0');
    expect((await bench.get('/')).text).toContain('NOT READY');
  }
});

test('a certificate is none without readiness, whatever stands in Redis', async () => {
  const bench = await benchWithCertificate();
  const { certificates } = bench.status;
  const states = {
    none: { ...gapsStatus(['a new gap']), certificates },
    expired: {
      ...bench.status,
      validUntilMs: Date.now() - 1,
      certificates: certificates?.map((one) => ({ ...one, validUntilMs: Date.now() - 1 })),
    },
  };
  for (const [state, status] of Object.entries(states)) {
    await bench.store.saveStatus(status);
    expect(await answer(bench)).toMatchObject({ state, certificate: { id: bench.made.id } });
  }
  await bench.store.saveStatus(unknownStatus('primary does not answer'));
  expect(await answer(bench)).toEqual({
    state: 'none',
    reason: 'primary does not answer',
    certificate: null,
    sha256: null,
    known: false,
    history: [],
  });
});

test('the page reads well on screens and on paper, and follows a withdrawal', async () => {
  const bench = await benchWithCertificate();
  const url = `${bench.dashboard.url}/certificate`;
  const folder = process.env['SHOTS'];
  const browser = await launchBrowser();
  onTestFinished(() => browser.close());
  for (const colorScheme of ['light', 'dark'] as const) {
    for (const width of [1400, 400]) {
      const page = await browser.newPage({ colorScheme, viewport: { width, height: 900 } });
      const { complaints, hosts } = watchPage(page);
      await page.goto(url);
      expect(await page.title()).toBe('VALID · parity certificate');
      expect(await page.getByText('bigip-08.example.com:443').count()).toBe(1);
      expect(complaints).toEqual([]);
      expect([...hosts]).toEqual([new URL(url).host]);
      const tooWide = await page.evaluate(
        () => document.documentElement.scrollWidth > document.documentElement.clientWidth,
      );
      expect(tooWide, `too wide for ${width}`).toBe(false);
      expect(await inaccessible(page)).toEqual([]);
      if (folder !== undefined) {
        const path = join(folder, `certificate-${colorScheme}-${width}.png`);
        await page.screenshot({ path, fullPage: true });
      }
      await page.close();
    }
  }
  const page = await browser.newPage({
    colorScheme: 'dark',
    viewport: { width: 794, height: 1123 },
  });
  await page.goto(url);
  await page.emulateMedia({ media: 'print' });
  expect(await page.locator('nav').isVisible()).toBe(false);
  expect(await page.getByText('Issued and withdrawn').isVisible()).toBe(false);
  expect(await page.getByText('How to verify it').isVisible()).toBe(true);
  const pdf = await page.pdf({
    format: 'A4',
    ...(folder === undefined ? {} : { path: join(folder, 'certificate.pdf') }),
  });
  expect(pdf.subarray(0, 5).toString()).toBe('%PDF-');
  if (folder !== undefined) {
    await page.screenshot({ path: join(folder, 'certificate-print.png'), fullPage: true });
  }
  await page.emulateMedia({ media: 'screen' });
  const { certificates = [] } = bench.status;
  const after = recordsAfter(certificates, { atMs: Date.now(), reasons: ['a <new> gap'] });
  await bench.store.saveStatus({ ...gapsStatus(['a <new> gap']), certificates: after });
  await page.getByText('a <new> gap').first().waitFor({ timeout: 15_000 });
  expect(await page.title()).toBe('WITHDRAWN · parity certificate');
  if (folder !== undefined) {
    await page.screenshot({ path: join(folder, 'certificate-withdrawn.png'), fullPage: true });
  }
}, 60_000);
