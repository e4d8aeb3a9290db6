import { EMPTY_STATE } from '@vm-sync/core';
import type { Status } from '@vm-sync/queue';

const MINUTE_MS = 60_000;

/** A status as the scheduler writes it after a clean check: primary is active, dr has everything. */
export function knownStatus(
  nowMs: number,
  state: Partial<Status['state']> = {},
  more: Partial<Status> = {},
): Status {
  const horizonMs = nowMs - 3 * MINUTE_MS;
  const sinceMs = horizonMs - 60 * MINUTE_MS;
  const mark = { sinceMs, throughMs: horizonMs, unproven: [], earlier: [] };
  return {
    atMs: nowMs - 40_000,
    role: 'primary',
    checkIntervalMs: 2 * MINUTE_MS,
    cleanChecksWanted: 3,
    validUntilMs: nowMs + 60 * MINUTE_MS,
    activeReason: 'ACTIVE_SITE pins the primary site',
    outcome: 'clean',
    tookMs: 1_240,
    horizonMs,
    sites: {
      primary: { healthy: true, observation: { site: 'primary', url: 'http://primary:8428' } },
      dr: { healthy: true, observation: { site: 'dr', url: 'http://dr:8428' } },
    },
    tallied: {
      series: 1_200,
      sourceSamples: 72_000,
      destinationSamples: 72_000,
      gaps: 0,
      missing: 0,
      tolerated: 0,
      extra: 0,
    },
    certificates: [
      {
        id: '20261126-030000-4f2a9c',
        direction: 'primary-to-dr',
        issuedMs: nowMs - 10 * MINUTE_MS,
        renewedMs: nowMs - 40_000,
        validUntilMs: nowMs + 60 * MINUTE_MS,
        sha256: '4f2a'.repeat(16),
        ended: null,
      },
    ],
    ...more,
    state: {
      ...EMPTY_STATE,
      lastCheckMs: nowMs - 40_000,
      consecutiveClean: 4,
      failbackReady: true,
      activeSite: 'primary',
      samplesSynced: 43_210,
      marks: { 'primary-to-dr': mark, 'dr-to-primary': mark },
      reasons: [],
      ...state,
    },
  };
}
