import { VmSyncError } from '@vm-sync/core';
import type { CheckResult, ChunkOutcome } from '@vm-sync/steps';
import type { RawDifference } from '@vm-sync/testkit';
import { expect } from 'vitest';
import type { LineCell } from './line-pair.ts';

/** Which sort of error, at which site, at which address. */
const NAMED = /VM \w+ error: (?:primary|dr) \(http:\/\/127\.0\.0\.1:\d+\)/;
const SHORT = /repair primary → dr.*accepted the import, but \d+ samples are not there/;

/** A check while something is wrong with the line: it may find what is missing, or say why it cannot, and nothing else. */
export async function checkHonestly(cell: LineCell, mustSucceed: boolean): Promise<CheckResult> {
  const result = await cell.check();
  const { report } = result;
  expect(cell.state.failbackReady).toBe(false);
  if (report.outcome === 'unknown') {
    expect(report.reason).toMatch(NAMED);
    expect(mustSucceed, report.reason).toBe(false);
    return result;
  }
  expect(report.outcome).toBe('gaps');
  const { onlyA, examples } = await cell.difference();
  expect(onlyA, 'samples are missing, as the cell has it').toBeGreaterThan(0);
  const missingAt = examples.flatMap((text) => Date.parse(text.split(' at ').at(-1) ?? ''));
  const { proven } = report.forward;
  const believed = proven.filter(({ fromMs, toMs }) =>
    missingAt.some((atMs) => atMs > fromMs && atMs <= toMs),
  );
  expect(believed, 'what is missing is not proven').toEqual([]);
  return result;
}

/** What came of one try at a chunk: what was done, or the error that a worker would be told. */
export async function outcomeOf(step: Promise<ChunkOutcome>): Promise<ChunkOutcome | VmSyncError> {
  try {
    return await step;
  } catch (error) {
    if (!(error instanceof VmSyncError)) throw error;
    expect(error.message).toMatch(error.name === 'ShortError' ? SHORT : NAMED);
    return error;
  }
}

/** Checks and repairs as scheduler and worker would, until a check is clean. */
export async function converge(cell: LineCell): Promise<void> {
  for (let round = 0; round < 4; round++) {
    const { report, plans } = await cell.check();
    if (report.outcome === 'unknown') throw new Error(`without a fault: ${report.reason}`);
    if (report.outcome === 'clean') return;
    expect(cell.state.failbackReady).toBe(false);
    for (const plan of plans) {
      for (const chunk of plan.chunks) await cell.repair(chunk, plan, 2);
    }
  }
  throw new Error(`not equal after all: ${JSON.stringify(await cell.difference())}`);
}

/** Nothing is missing and nothing is there twice; what a damaged line added or changed is `beside`. */
export const lostOrDoubled = ({ onlyA, duplicatesA, duplicatesB }: RawDifference) => ({
  onlyA,
  duplicatesA,
  duplicatesB,
});
