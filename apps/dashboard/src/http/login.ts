import { createHash, timingSafeEqual } from 'node:crypto';
import type { Logger } from '@vm-sync/runtime';
import type { RequestHandler } from 'express';
import { oncePer } from '../once-per.ts';
import { rememberPerson } from './person.ts';
import { refuse } from './refuse.ts';

interface Login {
  readonly user: string;
  readonly password: string;
}

/** HTTP Basic authentication against the one configured login. */
export function requireLogin(login: Login, log: Logger): RequestHandler {
  const wanted = digest(login.user, login.password);
  const tell = oncePer(60_000, (from) => log.warn({ from }, 'dashboard: wrong user or password'));
  return (request, response, next) => {
    const given = credentialsOf(request.get('authorization'));
    if (given && timingSafeEqual(digest(given.user, given.password), wanted)) {
      rememberPerson(request, { name: given.user, role: 'operator' });
      return next();
    }
    if (given) tell(request.socket.remoteAddress ?? 'unknown');
    response.set('www-authenticate', 'Basic realm="vm-sync", charset="UTF-8"');
    return refuse(request, response, 401, 'user and password, please (DASHBOARD_USER)');
  };
}

/** Digests have one length, so that comparing them tells nothing of the secret's. */
const digest = (user: string, password: string): Buffer =>
  createHash('sha256')
    .update(JSON.stringify([user, password]))
    .digest();

function credentialsOf(header: string | undefined): Login | undefined {
  const [, encoded] = /^Basic +([A-Za-z0-9+/=]+)$/i.exec(header ?? '') ?? [];
  if (encoded === undefined) return undefined;
  const [, user, password] =
    /^([^:]*):(.*)$/s.exec(Buffer.from(encoded, 'base64').toString()) ?? [];
  return user === undefined || password === undefined ? undefined : { user, password };
}
