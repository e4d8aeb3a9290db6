import { comparedScope, type LastingLimits } from '@vm-sync/core';
import type { Config } from '@vm-sync/runtime';
import type { CheckSettings } from '@vm-sync/steps';

/** A check may spend this long on surveying older history; the next one goes on from there. */
const SURVEY_MS = 20_000;

/** Proving wide windows may take this share of the time between two checks. */
const PROVE_SHARE = 0.5;

/** Looking for what only the passive site has may take this share of it. */
const SURPLUS_SHARE = 0.25;

/** What a check needs to know of the configuration. */
export const checkSettings = (config: Config): CheckSettings => ({
  role: config.role,
  scope: comparedScope(config.match, config.exclude),
  stepMs: config.queryStepMs,
  settleMs: config.settleMs,
  queryWindowMs: config.queryWindowMs,
  threshold: config.gapThreshold,
  proveMs: config.checkIntervalMs * PROVE_SHARE,
  surveyMs: SURVEY_MS,
  surplusMs: config.checkIntervalMs * SURPLUS_SHARE,
  recover: config.syncDirection === 'both' ? 'everything' : 'asked',
});

/**
 * What lasts is worth a message: what the next regular check sees again (it may come a little early). READY comes back
 * when samples of the failure's time have settled, and enough checks were clean.
 */
export const lastingLimits = (config: Config): LastingLimits => ({
  lastsMs: config.checkIntervalMs / 2,
  readyBackMs:
    config.settleMs +
    config.queryStepMs +
    (config.failbackCleanChecks + 1) * config.checkIntervalMs,
});
