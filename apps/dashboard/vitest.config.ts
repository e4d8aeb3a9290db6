import { defineConfig } from 'vitest/config';
import shared from '../../vitest.shared.ts';

export default defineConfig({
  ...shared,
  // Node applies these to `require` as well: with `import` or `module` among them Express is given ES modules of
  // packages that have both kinds, and fails.
  ssr: { resolve: { conditions: ['@vm-sync/source', 'node'] } },
});
