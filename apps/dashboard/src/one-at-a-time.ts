import { BackfillRefusedError, errorText, VmSyncError } from '@vm-sync/core';
import type { Answer } from './http/serve.ts';

/** A dry run asks both databases a lot: a second one waits for a person to ask again. */
export function oneAtATime<A extends readonly unknown[]>(
  forecast: (...args: A) => Promise<object>,
) {
  let isBusy = false;
  return async (...args: A): Promise<Answer> => {
    if (isBusy) {
      const error = 'another dry run is under way: ask again when it has ended';
      return { status: 409, body: { error } };
    }
    isBusy = true;
    try {
      return { status: 200, body: await forecast(...args) };
    } catch (error) {
      if (!(error instanceof VmSyncError) || error instanceof BackfillRefusedError) throw error;
      return { status: 503, body: { error: errorText(error) } };
    } finally {
      isBusy = false;
    }
  };
}
