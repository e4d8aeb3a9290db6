import { until } from '@vm-sync/testkit';
import type { Stack } from './stack.ts';

/** Waits until there are chunks, and all of them are done. */
export const untilAllDone = (stack: Stack, deadlineMs: number): Promise<unknown> =>
  until(
    'every chunk done',
    async () => {
      const chunks = await stack.chunks();
      return chunks.length > 0 && chunks.every(({ state }) => state === 'completed');
    },
    { deadlineMs },
  );
