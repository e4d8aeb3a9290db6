import { defineConfig } from 'vitest/config';

/**
 * What every project's tests share: the sources are run as they stand, without a build. `module` and `import` are not
 * among the conditions: they would reach Node's own `require` too, and hand ES modules to packages that ask for CommonJS.
 */
export default defineConfig({
  ssr: { resolve: { conditions: ['@vm-sync/source', 'node'] } },
  // Three at a time, because many wait: by default a machine of two processors would run one.
  test: { restoreMocks: true, maxWorkers: 3 },
});

/** For whole stacks of real processes, which mostly wait: many at a time, when the other projects are done. */
export const endToEnd = defineConfig({
  test: {
    // Limits are for what hangs, not for what is slow.
    testTimeout: 300_000,
    hookTimeout: 60_000,
    // A machine that is busy with other things may need a second try to be in time. What was found wrong is wrong: only
    // waits that ran out are tried again, never an assertion.
    retry: { count: 1, condition: /^waited [\d.]+ s for|^Test timed out|Address already in use/ },
    // Each stack checks every two seconds while it lives: with more of them the processors have time for nothing else.
    maxConcurrency: 3,
    maxWorkers: 4,
    // What they share are folders and ports, which are each test's own; loading it all for every file takes a second each.
    isolate: false,
    sequence: { groupOrder: 1 },
  },
});
