import { BackfillRefusedError, errorText, VmSyncError } from '@vm-sync/core';
import type { Answer } from './http/serve.ts';

/** A second dry run waits for a person to ask again. */
class DryRunUnderWayError extends VmSyncError {
  override name = 'DryRunUnderWayError';
}

/** A dry run asks both databases a lot, so there is one at a time, whoever asks. */
export function oneAtATime<A extends readonly unknown[], T>(
  forecast: (...args: A) => Promise<T>,
): (...args: A) => Promise<T> {
  let isBusy = false;
  return async (...args) => {
    if (isBusy) {
      const sentence = 'another dry run is under way: ask again when it has ended';
      throw new DryRunUnderWayError('busy', sentence);
    }
    isBusy = true;
    try {
      return await forecast(...args);
    } finally {
      isBusy = false;
    }
  };
}

/** What a dry run found, or why it cannot be told. A refused wish is left to the caller. */
export async function dryRunAnswer(forecast: () => Promise<object>): Promise<Answer> {
  try {
    return { status: 200, body: await forecast() };
  } catch (error) {
    if (!(error instanceof VmSyncError) || error instanceof BackfillRefusedError) throw error;
    return { status: dryRunStatus(error), body: { error: errorText(error) } };
  }
}

export const dryRunStatus = (error: VmSyncError): number =>
  error instanceof DryRunUnderWayError ? 409 : 503;
