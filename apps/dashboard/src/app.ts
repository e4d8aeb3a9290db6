import { fileURLToPath } from 'node:url';
import { SessionStore } from '@vm-sync/queue';
import { OPEN_PROBES, PROBES } from '@vm-sync/runtime';
import express, { type Express, type RequestHandler, Router } from 'express';
import { noteAudit } from './audited.ts';
import { boardRouter } from './board.ts';
import type { Context } from './context.ts';
import { answerErrors, answerNotFound } from './http/errors.ts';
import { guardHost } from './http/guard-host.ts';
import { type Access, requireLogin } from './http/login.ts';
import { loginRoutes } from './http/login-routes.ts';
import { requireRedis } from './http/require-redis.ts';
import { requireSameOrigin } from './http/same-origin.ts';
import { securityHeaders } from './http/security-headers.ts';
import { bodyParsers, type Route, serve } from './http/serve.ts';
import { type Account, accountsOf, tokenCheck } from './login/accounts.ts';
import { PasswordCheck } from './login/password-check.ts';
import { Sessions } from './login/sessions.ts';
import { guardedRoutes, probeRoutes } from './routes.ts';

/** Beside `src` and beside `dist`: these files are served as they stand. */
const ASSETS = fileURLToPath(new URL('../assets/', import.meta.url));

/** The whole dashboard as a request listener. The order is the point: nothing is read before its guard has spoken. */
export function createApp(context: Context): Express {
  const { login, tls, open = OPEN_PROBES, trustedProxies = [] } = context.config.dashboard;
  const probes = probeRoutes(context);
  const assets = express.static(ASSETS, { index: false, maxAge: '1h' });
  const app = express();
  app.disable('x-powered-by');
  app.set('trust proxy', trustedProxies);
  app.use(securityHeaders({ isTls: tls !== undefined }));
  if (login === undefined) app.use(guardHost());
  app.use(requireSameOrigin());
  app.use(
    routerOf(
      open.flatMap((probe) => probes[probe]),
      context,
    ),
  );
  if (login !== undefined) app.use(guardLogin(context, assets));
  app.use('/assets', assets);
  const guarded = PROBES.filter((probe) => !open.includes(probe));
  app.use(
    routerOf(
      guarded.flatMap((probe) => probes[probe]),
      context,
    ),
  );
  app.use(routerOf(guardedRoutes(context), context));
  app.use('/queues', requireRedis(context.redis), ...boardRouter(context));
  app.use(answerNotFound());
  app.use(answerErrors(context));
  return app;
}

/** What the login page is made of. */
const LOGIN_ASSETS = ['/page.css', '/actions.css', '/print.css', '/login.css', '/icon.svg'];

/** The login page, and before everything else the question who asks. */
function guardLogin(context: Context, assets: RequestHandler): Router {
  const access = accessOf(context);
  const router = Router();
  router.use('/assets', (request, response, next) =>
    LOGIN_ASSETS.includes(request.path) ? assets(request, response, next) : next(),
  );
  router.use(loginRoutes(access, requireRedis(context.redis)));
  router.use(requireLogin(access));
  return router;
}

function accessOf(context: Context): Access {
  const { config, log, redis } = context;
  const { dashboard, role } = config;
  const accounts: readonly Account[] = accountsOf(dashboard);
  return {
    role,
    log,
    sessions: new Sessions(new SessionStore(redis), accounts),
    passwords: new PasswordCheck(accounts),
    personWithToken: tokenCheck(dashboard),
    note: (line) => noteAudit(context, line),
  };
}

function routerOf(routes: readonly Route[], { redis }: Context): Router {
  const router = Router();
  for (const route of routes) {
    const guards = route.needsRedis ? [requireRedis(redis)] : [];
    const parsers = route.method === 'post' ? bodyParsers() : [];
    router[route.method](route.path, ...guards, ...parsers, serve(route.handle));
  }
  return router;
}
