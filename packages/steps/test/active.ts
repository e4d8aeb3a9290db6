import type { ActiveSite } from '@vm-sync/core';

/** A direction that is beyond doubt. */
export const ACTIVE: ActiveSite = {
  site: 'primary',
  reason: 'test',
  witnesses: [],
  mayWrite: true,
  whyNoWriting: null,
  epoch: 1,
};
