import { defineConfig } from 'vitest/config';

/**
 * What every project's tests share: the sources are run as they stand, without a build. `module` and `import` are not
 * among the conditions: they would reach Node's own `require` too, and hand ES modules to packages that ask for CommonJS.
 */
export default defineConfig({
  ssr: { resolve: { conditions: ['@vm-sync/source', 'node'] } },
  // Two at a time: by default a machine of two processors would run one.
  test: { restoreMocks: true, maxWorkers: 2 },
});
