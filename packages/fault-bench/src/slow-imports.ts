import type { Fault, FaultProxy } from '@vm-sync/testkit';

const path = /\/api\/v1\/import/;

/**
 * Imports take their time, so that a process can be caught in the middle of one. What has passed is written by the
 * database at once; when the sender is gone, so is the rest.
 */
export const slowImports = (bytesPerS: number): Fault => ({
  kind: 'slow-request',
  bytesPerS,
  path,
});

/** Bytes of imports that were passed on so far. */
export const importedBytes = ({ requests }: FaultProxy): number =>
  requests.reduce((sum, { path: asked, sent }) => sum + (path.test(asked) ? sent : 0), 0);
