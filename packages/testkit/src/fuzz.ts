import { appendFileSync } from 'node:fs';
import fc from 'fast-check';

/** Multiplies every budget; a run of the test command is 1. */
const TIMES = Number(process.env['FUZZ_RUNS'] ?? 1);

/** The same inputs in every run, unless another seed is asked for: what fails in the test command fails again. */
const SEED = Number(process.env['FUZZ_SEED'] ?? 1);

/**
 * Tries so many inputs (times `FUZZ_RUNS`) on a parser. A failure shows the smallest input that fails, and how to have it
 * again. Whatever was tried is noted in the file `FUZZ_COUNTS`, if one is named: a parser and a number on each line.
 */
export async function fuzz<T>(
  parser: string,
  inputs: number,
  input: fc.Arbitrary<T>,
  check: (input: T) => void | Promise<void>,
): Promise<void> {
  let tried = 0;
  const property = fc.asyncProperty(input, async (one) => {
    tried += 1;
    await check(one);
    assertUnpolluted();
  });
  try {
    await fc.assert(property, {
      numRuns: Math.ceil(inputs * TIMES),
      seed: SEED,
      includeErrorInReport: true,
    });
  } finally {
    const file = process.env['FUZZ_COUNTS'];
    if (file) appendFileSync(file, `${parser}\t${tried}\n`);
  }
}

/** Throws when an input has left something on what all objects inherit from. */
function assertUnpolluted(): void {
  for (const prototype of [Object.prototype, Array.prototype, Function.prototype]) {
    if ('polluted' in prototype) throw new Error('a prototype was polluted');
  }
}
