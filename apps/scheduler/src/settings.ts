import { comparedScope } from '@vm-sync/core';
import type { Config } from '@vm-sync/runtime';
import type { CheckSettings } from '@vm-sync/steps';

/** A check may spend this long on surveying older history; the next one goes on from there. */
const SURVEY_MS = 20_000;

/** Proving wide windows may take this share of the time between two checks. */
const PROVE_SHARE = 0.5;

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
});
