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
    const chunks = await failedChunks(context, wish.data);
    if (chunks.length === 0) return { status: 409, body: { error: NO_SUCH_CHUNKS } };
    // One may have been retried by somebody else since it was listed.
    const tried = await Promise.allSettled(chunks.map((chunk) => chunk.retry('failed')));
    const retried = tried.filter(({ status }) => status === 'fulfilled').length;
    return { status: 200, body: { retried } };
  };
