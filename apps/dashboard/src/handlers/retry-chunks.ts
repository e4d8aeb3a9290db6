import { RetryRequest } from '@vm-sync/queue';
import type { Context } from '../context.ts';
import { failedChunks, NO_SUCH_CHUNKS } from '../failed-chunks.ts';
import type { Handler } from '../http/serve.ts';

/** Tries failed chunks again, as the board does: each reads its orders anew before it writes. */
export const retryChunks =
  (context: Context): Handler =>
  async ({ body }) => {
    const wish = RetryRequest.safeParse(body ?? {});
    if (!wish.success) {
      const error =
        'expected nothing, or run, direction (primary-to-dr, dr-to-primary) and error (a part of its text), as JSON or a form';
      return { status: 400, body: { error } };
    }
    let retried = 0;
    let meant = 0;
    for await (const chunks of failedChunks(context, wish.data)) {
      // One may have been retried by somebody else since it was listed.
      const tried = await Promise.allSettled(chunks.map((chunk) => chunk.retry('failed')));
      meant += chunks.length;
      retried += tried.filter(({ status }) => status === 'fulfilled').length;
    }
    if (meant === 0) return { status: 409, body: { error: NO_SUCH_CHUNKS } };
    return { status: 200, body: { retried } };
  };
