import type { RequestHandler } from 'express';
import { refuse } from './refuse.ts';

/**
 * For a dashboard without login, which listens on loopback only: a foreign page may still reach it by letting its own
 * name point to 127.0.0.1 (DNS rebinding). Its requests carry that name as their host.
 */
export const guardHost = (): RequestHandler => (request, response, next) => {
  if (isLoopbackHost(request.get('host') ?? '')) return next();
  return refuse(
    request,
    response,
    403,
    'without a login the dashboard answers to localhost only; set DASHBOARD_USER and DASHBOARD_PASSWORD',
  );
};

export function isLoopbackHost(host: string): boolean {
  return /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])(?::\d{1,5})?$/i.test(host);
}
