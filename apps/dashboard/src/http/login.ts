import type { Site } from '@vm-sync/core';
import type { AuditLine } from '@vm-sync/queue';
import type { Logger } from '@vm-sync/runtime';
import type { Request, RequestHandler, Response } from 'express';
import { shortened } from '../board-audit.ts';
import type { tokenCheck } from '../login/accounts.ts';
import { cookieName, readCookie } from '../login/cookies.ts';
import { credentialsOf } from '../login/credentials.ts';
import { loginPath } from '../login/next-path.ts';
import type { PasswordCheck, Verdict } from '../login/password-check.ts';
import type { Sessions } from '../login/sessions.ts';
import { oncePer } from '../once-per.ts';
import { onwardsPage } from '../page/login-page.ts';
import { type Person, rememberPerson } from './person.ts';
import { acceptsHtml, refuse } from './refuse.ts';

/** What a login rests on. */
export interface Access {
  readonly role: Site;
  readonly log: Logger;
  readonly sessions: Sessions;
  readonly passwords: PasswordCheck;
  readonly personWithToken: ReturnType<typeof tokenCheck>;
  /** Keeps a line of what a person tried. */
  readonly note: (line: AuditLine) => Promise<void>;
}

/** No write of a viewer's comes as far as what notes the others. */
const lineOf = (request: Request, { name: who }: Person): AuditLine => ({
  atMs: Date.now(),
  who,
  by: request.path.startsWith('/queues') ? 'board' : acceptsHtml(request) ? 'page' : 'api',
  action: request.method.toLowerCase(),
  what: shortened(request.path),
  result: VIEWERS_ONLY_LOOK,
});

type Found =
  | { readonly kind: 'person'; readonly person: Person }
  | Exclude<Verdict, { kind: 'right' }>;

const VIEWERS_ONLY_LOOK =
  'viewers look and change nothing: for this, log in as the operator (DASHBOARD_USER)';

/** Lets in who has a session, a user and password (HTTP Basic), or a bearer token; viewers to look only. */
export function requireLogin(access: Access): RequestHandler {
  const tellWrong = wrongTold(access.log);
  // Of a script that tries for ever one line a minute: the log keeps a thousand, and not all of them are to be its own.
  const noteTry = oncePer(60_000, (_, line: AuditLine) => void access.note(line));
  return async (request, response, next) => {
    const found = await find(access, request);
    if (found === undefined) return askForLogin(request, response);
    if (found.kind === 'wrong') {
      tellWrong(request);
      return askForLogin(request, response);
    }
    if (found.kind !== 'person') return askToWait(request, response, found);
    rememberPerson(request, found.person);
    if (found.person.role === 'operator' || isRead(request)) return next();
    noteTry(`${found.person.name} ${request.method}`, lineOf(request, found.person));
    return refuse(request, response, 403, VIEWERS_ONLY_LOOK);
  };
}

/** Who asks; undefined when nobody says so. A session comes first: browsers go on sending a Basic login of old. */
async function find(
  { sessions, passwords, personWithToken, role }: Access,
  request: Request,
): Promise<Found | undefined> {
  const account = await sessions.find(sessionToken(request, role));
  if (account) return { kind: 'person', person: { ...account.person, session: true } };
  const given = credentialsOf(request.get('authorization'));
  if (given === undefined) return undefined;
  if (given.kind === 'token') {
    const person = personWithToken(given.token);
    return person === undefined ? { kind: 'wrong' } : { kind: 'person', person };
  }
  const verdict = await passwords.check(addressOf(request), given.user, given.password);
  if (verdict.kind !== 'right') return verdict;
  return { kind: 'person', person: verdict.account.person };
}

/** People are led to the login page, programs are told what is missing. */
function askForLogin(request: Request, response: Response): void {
  if (
    isRead(request) &&
    acceptsHtml(request) &&
    (isBrowser(request) || !request.get('authorization'))
  ) {
    const path = loginPath(request.originalUrl);
    response.set('cache-control', 'no-store');
    if (mayComeFromElsewhere(request)) response.type('html').send(onwardsPage(path));
    else response.redirect(303, path);
    return;
  }
  // A browser would put a window of its own before the page.
  if (!isBrowser(request)) {
    response.set('www-authenticate', 'Basic realm="vm-sync", charset="UTF-8"');
  }
  refuse(
    request,
    response,
    401,
    'log in first: at /login, with user and password (DASHBOARD_USER), or with a bearer token (DASHBOARD_TOKEN)',
  );
}

/** Over plain HTTP browsers do not say. */
const mayComeFromElsewhere = (request: Request): boolean =>
  isBrowser(request) && !/^(?:same-origin|none)$/.test(request.get('sec-fetch-site') ?? '');

type Wait = Extract<Verdict, { kind: 'wait' | 'busy' }>;

function askToWait(request: Request, response: Response, wait: Wait): void {
  refuse(request, response, waitStatus(wait, response), waitSentence(wait));
}

/** Sets `Retry-After`, too. */
export function waitStatus({ kind, waitMs }: Wait, response: Response): 429 | 503 {
  response.set('retry-after', String(Math.ceil(waitMs / 1_000)));
  return kind === 'wait' ? 429 : 503;
}

export const waitSentence = ({ kind, waitMs }: Wait): string =>
  kind === 'wait'
    ? `too many wrong passwords from your address: try again in ${Math.ceil(waitMs / 1_000)} s`
    : 'too many log in at this moment: try again in a few seconds';

export function wrongTold(log: Logger): (request: Request) => void {
  const tell = oncePer(60_000, (from) =>
    log.warn({ from }, 'dashboard: wrong user, password or token'),
  );
  return (request) => tell(addressOf(request));
}

export const sessionToken = (request: Request, role: Site): string | undefined =>
  readCookie(request.get('cookie'), cookieName(role, isTls(request)));

/** A header that a stranger makes up only makes his own cookie stricter. */
export const isTls = (request: Request): boolean =>
  request.secure || /^https\b/i.test(request.get('x-forwarded-proto') ?? '');

export const addressOf = (request: Request): string => request.ip ?? 'unknown';

const isRead = ({ method }: Request): boolean => method === 'GET' || method === 'HEAD';

/** All browsers begin so, and no program that means to be taken for itself. */
const isBrowser = (request: Request): boolean => /^Mozilla\//.test(request.get('user-agent') ?? '');
