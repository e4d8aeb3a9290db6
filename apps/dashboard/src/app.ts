import { fileURLToPath } from 'node:url';
import express, { type Express, Router } from 'express';
import { boardRouter } from './board.ts';
import type { Context } from './context.ts';
import { answerErrors, answerNotFound } from './http/errors.ts';
import { guardHost } from './http/guard-host.ts';
import { requireLogin } from './http/login.ts';
import { requireRedis } from './http/require-redis.ts';
import { requireSameOrigin } from './http/same-origin.ts';
import { securityHeaders } from './http/security-headers.ts';
import { bodyParsers, type Route, serve } from './http/serve.ts';
import { guardedRoutes, openRoutes } from './routes.ts';

/** Beside `src` and beside `dist`: these files are served as they stand. */
const ASSETS = fileURLToPath(new URL('../assets/', import.meta.url));

/** The whole dashboard as a request listener. The order is the point: nothing is read before its guard has spoken. */
export function createApp(context: Context): Express {
  const { dashboard } = context.config;
  const app = express();
  app.disable('x-powered-by');
  app.use(securityHeaders());
  if (dashboard.login === undefined) app.use(guardHost());
  app.use(requireSameOrigin());
  app.use(routerOf(openRoutes(context), context));
  if (dashboard.login !== undefined) app.use(requireLogin(dashboard.login, context.log));
  app.use('/assets', express.static(ASSETS, { index: false, maxAge: '1h' }));
  app.use(routerOf(guardedRoutes(context), context));
  app.use('/queues', requireRedis(context.redis), ...boardRouter(context));
  app.use(answerNotFound());
  app.use(answerErrors(context));
  return app;
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
