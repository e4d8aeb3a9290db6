import { expect, test } from 'vitest';
import { runChaos } from '../src/chaos/run-chaos.ts';

// Short runs of the same that `pnpm chaos` does for as long as anybody likes.
test.concurrent.each([{ seed: 11, lengthMs: 25_000 }])(
  'chaos of seed $seed: nothing lost, nothing doubled, no false READY',
  async (options) => {
    const { faults, samplesWritten, seen } = await runChaos(options);
    expect(Object.keys(faults).length).toBeGreaterThan(3);
    expect(samplesWritten).toBeGreaterThan(500);
    expect(seen.readyBegan).toBeGreaterThanOrEqual(2);
    expect(seen.judged).toBeGreaterThanOrEqual(2);
  },
);
