import { errorText } from '@vm-sync/core';
import type { ErrorRequestHandler, RequestHandler } from 'express';
import type { Context } from '../context.ts';
import { refuse } from './refuse.ts';
import { REDIS_AWAY, redisIsAway } from './require-redis.ts';

export const answerNotFound = (): RequestHandler => (request, response) =>
  refuse(request, response, 404, 'there is nothing at this address');

/** What no handler foresaw. Its own words stay in the log: they may name what strangers should not read. */
export const answerErrors =
  ({ log }: Context): ErrorRequestHandler =>
  (error: unknown, request, response, next) => {
    if (response.headersSent) return next(error);
    if (redisIsAway(error)) return refuse(request, response, 503, REDIS_AWAY);
    const status = clientFault(error);
    if (status !== undefined) {
      return refuse(request, response, status, 'this request cannot be understood');
    }
    log.error({ path: request.path, err: error }, `dashboard: ${errorText(error)}`);
    return refuse(request, response, 500, 'the dashboard failed at this; its log says why');
  };

/** Express marks what a client did wrong, such as a path with a broken escape, with a status of 4xx. */
function clientFault(error: unknown): number | undefined {
  const status = (error as { status?: unknown } | null)?.status;
  return typeof status === 'number' && status >= 400 && status < 500 ? status : undefined;
}
