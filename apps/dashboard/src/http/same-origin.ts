import type { RequestHandler } from 'express';
import { refuse } from './refuse.ts';

interface Provenance {
  readonly fetchSite: string | undefined;
  readonly origin: string | undefined;
  readonly host: string | undefined;
}

/**
 * Refuses writes that another site's page makes in an operator's browser, which sends the login along by itself. Bull
 * Board has no guard of its own.
 */
export const requireSameOrigin = (): RequestHandler => (request, response, next) => {
  const from: Provenance = {
    fetchSite: request.get('sec-fetch-site'),
    origin: request.get('origin'),
    host: request.get('host'),
  };
  if (request.method === 'GET' || request.method === 'HEAD' || isSameOrigin(from)) return next();
  return refuse(request, response, 403, 'refused: this request comes from another web site');
};

/** Browsers say where a request comes from; over plain HTTP they send `Origin` only, and programs send neither. */
export function isSameOrigin({ fetchSite, origin, host }: Provenance): boolean {
  if (fetchSite !== undefined) return fetchSite === 'same-origin';
  if (origin === undefined) return true;
  return host !== undefined && URL.canParse(origin) && new URL(origin).host === host.toLowerCase();
}
