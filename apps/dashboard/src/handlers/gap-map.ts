import type { Context } from '../context.ts';
import type { Handler } from '../http/serve.ts';

/** What was missing when the last divergence was found, and what is missing now; both null where nothing was. */
export const showGapMap =
  ({ gapMaps }: Context): Handler =>
  async () => {
    const nothing = { before: null, now: null, checkedMs: null, sinceMs: null };
    return { status: 200, body: (await gapMaps.load()) ?? nothing };
  };
