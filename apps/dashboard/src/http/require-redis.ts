import type { RequestHandler } from 'express';
import { Afresh } from '../afresh.ts';
import type { Context } from '../context.ts';
import { refuse } from './refuse.ts';

export const REDIS_AWAY =
  'Redis does not answer, so nothing can be said or done now; see REDIS_URL and the Redis server';

/** Lets a request through when Redis answers right now. */
export const requireRedis =
  (redis: Context['redis']): RequestHandler =>
  async (request, response, next) => {
    if (await redisAnswers(redis)) return next();
    return refuse(request, response, 503, REDIS_AWAY);
  };

export async function redisAnswers(redis: Context['redis']): Promise<boolean> {
  // While the client waits for its next attempt a command would wait with it, for seconds.
  if (redis.status === 'reconnecting' || redis.status === 'end') return false;
  return pingOf(redis)
    .get()
    .then(
      () => true,
      () => false,
    );
}

const PINGS = new WeakMap<Context['redis'], Afresh<unknown>>();

/** One at a time for all requests: a Redis that is silent is not sent thousands of questions that it answers later. */
function pingOf(redis: Context['redis']): Afresh<unknown> {
  const known = PINGS.get(redis) ?? new Afresh(() => redis.ping());
  PINGS.set(redis, known);
  return known;
}

/** True for the errors of a connection that broke between the first answer and the last. */
export function redisIsAway(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const { code } = error as NodeJS.ErrnoException;
  return (
    error.name === 'MaxRetriesPerRequestError' ||
    /^(?:Command timed out|Connection is closed)/.test(error.message) ||
    /^(?:ECONNREFUSED|ECONNRESET|EPIPE|ETIMEDOUT|ENOTFOUND|EAI_AGAIN)$/.test(code ?? '')
  );
}
