import type { Handler } from '../http/serve.ts';

/** The process lives. */
export const healthz: Handler = () => ({ status: 200, body: 'ok\n' });

/** The process can do its work; the route itself asks Redis. */
export const readyz: Handler = () => ({ status: 200, body: 'ok\n' });
