import { defineConfig } from 'vitest/config';

/** What every project's tests share: the sources are run as they stand, without a build. */
export default defineConfig({
  ssr: { resolve: { conditions: ['@vm-sync/source', 'module', 'node', 'import', 'default'] } },
  test: { restoreMocks: true },
});
