import type { Site } from '@vm-sync/core';
import { LoginRequest, SESSION_LIMITS_MS } from '@vm-sync/queue';
import {
  type CookieOptions,
  type Request,
  type RequestHandler,
  type Response,
  Router,
} from 'express';
import { cookieName } from '../login/cookies.ts';
import { nextPath } from '../login/next-path.ts';
import type { Verdict } from '../login/password-check.ts';
import { loginPage } from '../page/login-page.ts';
import {
  type Access,
  addressOf,
  isTls,
  sessionToken,
  waitSentence,
  waitStatus,
  wrongTold,
} from './login.ts';
import { acceptsHtml, refuse } from './refuse.ts';
import { bodyParsers } from './serve.ts';

/** `/login` and `/logout`: what is answered to those who have not logged in. Sessions need Redis. */
export function loginRoutes(access: Access, needsRedis: RequestHandler): Router {
  const router = Router();
  router.get('/login', needsRedis, showLogin(access));
  router.post('/login', needsRedis, ...bodyParsers(), logIn(access));
  router.post('/logout', needsRedis, logOut(access));
  return router;
}

const showLogin =
  ({ sessions, role }: Access): RequestHandler =>
  async (request, response) => {
    const next = nextPath(request.query['next']);
    response.set('cache-control', 'no-store');
    if (await sessions.find(sessionToken(request, role))) return response.redirect(303, next);
    response.type('html').send(loginPage({ role, next }));
  };

function logIn(access: Access): RequestHandler {
  const { sessions, passwords, role, log } = access;
  const tellWrong = wrongTold(log);
  return async (request, response) => {
    const form = LoginRequest.safeParse(request.body ?? {}).data;
    if (form === undefined) {
      return refuse(request, response, 400, 'expected user and password, as a form');
    }
    const verdict = await passwords.check(addressOf(request), form.user, form.password);
    const next = nextPath(form.next);
    if (verdict.kind !== 'right') {
      if (verdict.kind === 'wrong') tellWrong(request);
      return refuseLogin(request, response, verdict, { role, next, user: form.user });
    }
    // A new session for every login: nobody can have prepared it.
    await sessions.end(sessionToken(request, role));
    setCookie(request, response, access, await sessions.open(verdict.account));
    const { name: who, role: as } = verdict.account.person;
    log.info({ who, as, from: addressOf(request) }, 'logged in');
    response.set('cache-control', 'no-store').redirect(303, next);
  };
}

function refuseLogin(
  request: Request,
  response: Response,
  verdict: Exclude<Verdict, { kind: 'right' }>,
  view: { role: Site; next: string; user: string },
): void {
  const isWrong = verdict.kind === 'wrong';
  const status = isWrong ? 401 : waitStatus(verdict, response);
  const sentence = isWrong ? 'wrong user or password' : waitSentence(verdict);
  if (acceptsHtml(request)) {
    response.status(status).set('cache-control', 'no-store').type('html');
    response.send(loginPage({ ...view, refusal: asSentence(sentence) }));
  } else refuse(request, response, status, sentence);
}

const logOut =
  ({ sessions, role, log }: Access): RequestHandler =>
  async (request, response) => {
    const token = sessionToken(request, role);
    const account = await sessions.find(token);
    await sessions.end(token);
    if (account) log.info({ who: account.person.name }, 'logged out');
    response.clearCookie(cookieName(role, isTls(request)), cookieOptions(request));
    response.set('cache-control', 'no-store').redirect(303, '/login');
  };

function setCookie(request: Request, response: Response, { role }: Access, token: string): void {
  const options = { ...cookieOptions(request), maxAge: SESSION_LIMITS_MS.whole };
  response.cookie(cookieName(role, isTls(request)), token, options);
}

const cookieOptions = (request: Request): CookieOptions => ({
  path: '/',
  httpOnly: true,
  sameSite: 'strict',
  secure: isTls(request),
});

const asSentence = (text: string): string => `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;
