import type { Certificate, CertificateRecord, Listed, Window } from '@vm-sync/core';
import { z } from 'zod';

const ms = z.number().int().min(0).max(8.64e15);
const site = z.enum(['primary', 'dr']);
const direction = z.object({ source: site, destination: site });
const window: z.ZodType<Window> = z.object({ fromMs: ms, toMs: ms });
const count = z.number().min(0);

const listed = <T extends z.ZodType>(one: T): z.ZodType<Listed<z.infer<T>>> =>
  z.object({ listed: z.array(one), more: count });

const amount = z.object({ series: count, samples: count });

const deviceTable = z.object({
  rows: z.array(
    z.object({ label: z.string(), name: z.string(), source: amount, destination: amount }),
  ),
  rest: z.object({ devices: count, source: amount, destination: amount }),
  source: amount,
  destination: amount,
  fewer: count,
});

const devices: z.ZodType<Certificate['devices']> = z.union([
  z.object({ atMs: ms, window, table: deviceTable, reason: z.null() }),
  z.object({ atMs: ms, window: window.nullable(), table: z.null(), reason: z.string() }),
]);

const certifiedSite = z.object({
  url: z.string(),
  version: z.string().nullable(),
  startedMs: ms.nullable(),
  dedupMs: count.nullable(),
  retentionMs: count.nullable(),
  maxBackfillAgeMs: count.nullable(),
  marker: z.string(),
});

/** The document, as it stands in Redis. Strict: its digest is of everything that it says. */
export const CertificateSchema: z.ZodType<Certificate> = z.strictObject({
  format: z.literal('vm-sync parity certificate 1'),
  id: z.string().min(1),
  issuedBy: site,
  pair: z.string().nullable(),
  issuedMs: ms,
  renewedMs: ms,
  validUntilMs: ms,
  direction,
  says: z.string(),
  active: z.object({
    site,
    reason: z.string(),
    epoch: count,
    witnesses: z.array(
      z.object({
        name: z.enum(['pin', 'setting', 'address', 'lease', 'freshness']),
        says: z.enum(['primary', 'dr', 'unknown']).nullable(),
        text: z.string(),
      }),
    ),
  }),
  proven: z.array(
    z.object({
      direction,
      fromMs: ms,
      throughMs: ms,
      earlier: listed(window),
      unproven: listed(window),
      surveyed: z.boolean(),
    }),
  ),
  proof: z.object({
    level: z.enum(['prints', 'intervals']),
    threshold: z.number(),
    toleratedSamples: count,
  }),
  check: z.object({
    series: count,
    sourceSamples: count,
    destinationSamples: count,
    gaps: count,
    missing: count,
    tolerated: count,
    extra: count,
    atMs: ms,
    tookMs: count,
    cleanInARow: count,
    cleanWanted: count,
  }),
  repaired: z.object({
    sinceMs: ms.nullable(),
    byDirection: z.array(z.object({ direction, runs: count, samples: count, bytes: count })),
  }),
  beyondRepair: listed(z.object({ window, reason: z.string(), samplesMissing: count.nullable() })),
  surplus: z.string().nullable(),
  differingValues: z.string().nullable(),
  sites: z.object({ primary: certifiedSite, dr: certifiedSite }),
  findings: z.array(z.string()),
  settings: z.object({
    selectors: z.array(z.string()),
    queryStepMs: count,
    queryWindowMs: count,
    settleMs: count,
    syncDirection: z.enum(['active-to-passive', 'both']),
  }),
  devices,
});

export const CertificateRecordSchema: z.ZodType<CertificateRecord> = z.object({
  id: z.string().min(1),
  direction: z.enum(['primary-to-dr', 'dr-to-primary']),
  issuedMs: ms,
  renewedMs: ms,
  validUntilMs: ms,
  sha256: z.string(),
  ended: z
    .object({ how: z.enum(['withdrawn', 'expired']), atMs: ms, reason: z.string() })
    .nullable(),
});
