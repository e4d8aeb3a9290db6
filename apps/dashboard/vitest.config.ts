import { defineConfig } from 'vitest/config';
import shared from '../../vitest.shared.ts';

export default defineConfig({
  ...shared,
  // Node applies these to `require` as well: with `import` or `module` among them Express is given ES modules of
  // packages that have both kinds, and fails.
  // Real servers are started: the limits are for what hangs, not for what is slow.
  test: { ...shared.test, testTimeout: 60_000, hookTimeout: 60_000 },
  ssr: { resolve: { conditions: ['@vm-sync/source', 'node'] } },
});
