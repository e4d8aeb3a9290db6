import fc from 'fast-check';
import type { Eyes } from './eyes.ts';
import { stories, told } from './history.ts';
import { type Played, play } from './play.ts';

const ACTS_MOST = 30;

/** The test command plays the same histories in every run: what it finds must not depend on luck. */
const USUAL_SEED = 20261126;

/**
 * Plays so many random histories, or as many as `MODEL_RUNS` says; what breaks a property is shrunk, and told act by act.
 * `MODEL_SEED` plays the same ones again; with `MODEL_RUNS` alone they are others each time.
 */
export async function playHistories(
  eyes: Eyes,
  usual: number,
): Promise<Played & { readonly histories: number }> {
  const { MODEL_RUNS: runs } = process.env;
  const seed = process.env['MODEL_SEED'] ?? (runs === undefined ? USUAL_SEED : undefined);
  const counts: Played = { acts: 0, checks: 0, ready: 0 };
  const details = await fc.check(
    fc.asyncProperty(stories(ACTS_MOST), (story) => play(story, eyes, counts)),
    { numRuns: Number(runs ?? usual), ...(seed === undefined ? {} : { seed: Number(seed) }) },
  );
  const [story] = details.counterexample ?? [];
  if (story) {
    const { message } = (details.errorInstance ?? {}) as Error;
    throw new Error(`${message}\nin this history (MODEL_SEED=${details.seed}):\n${told(story)}`, {
      cause: details.errorInstance,
    });
  }
  return { ...counts, histories: details.numRuns };
}
