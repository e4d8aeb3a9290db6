import { createServer, type RequestListener, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { VmSyncError } from '@vm-sync/core';
import type { Config, Logger } from '@vm-sync/runtime';
import { createApp } from './app.ts';
import { closeContext, type Forecasts, openContext } from './context.ts';
import { HANDSHAKE_MS, limitConnections, SERVER_LIMITS } from './http/limits.ts';

/** A running dashboard. */
export interface Dashboard {
  readonly url: string;
  /** Answers what is under way, then leaves. */
  close(): Promise<void>;
}

/**
 * Starts the dashboard process' work. Redis may be away, now or later; an address that cannot be had is an error.
 * `forecasts` are asked for dry runs: the dashboard itself knows no databases.
 */
export async function startDashboard(
  config: Config,
  log: Logger,
  forecasts: Forecasts,
): Promise<Dashboard> {
  const context = openContext(config, log, forecasts);
  try {
    const { server, url } = await listen(createApp(context), config, log);
    log.info({ url }, 'dashboard listens');
    return {
      url,
      close: async () => {
        await closeServer(server);
        await closeContext(context);
      },
    };
  } catch (error) {
    await closeContext(context);
    throw error;
  }
}

async function listen(
  app: RequestListener,
  { dashboard: { host, port, tls } }: Config,
  log: Logger,
): Promise<{ server: Server; url: string }> {
  const server = tls === undefined ? createServer(SERVER_LIMITS, app) : tlsServer(tls, app);
  limitConnections(server, log);
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) => reject(listenError(error, host, port)));
    server.listen(port, host, resolve);
  });
  const { address, family, port: given } = server.address() as AddressInfo;
  const name = family === 'IPv6' ? `[${address}]` : address;
  return { server, url: `${tls === undefined ? 'http' : 'https'}://${name}:${given}` };
}

function tlsServer(tls: { cert: string; key: string }, app: RequestListener): Server {
  try {
    return createTlsServer({ ...SERVER_LIMITS, handshakeTimeout: HANDSHAKE_MS, ...tls }, app);
  } catch (error) {
    throw new VmSyncError(
      'final',
      'the dashboard cannot use its certificate: DASHBOARD_TLS_CERT_FILE and DASHBOARD_TLS_KEY_FILE must be PEM, and of one pair, the key without a passphrase',
      { cause: error },
    );
  }
}

const LISTEN_FAULTS: Record<string, string> = {
  EADDRINUSE: 'the port is taken by another program; set DASHBOARD_PORT to a free one',
  EACCES: 'the system does not allow this port; set DASHBOARD_PORT to one above 1023',
  EADDRNOTAVAIL: 'this machine does not have that address; mend DASHBOARD_HOST',
  ENOTFOUND: 'no such host; mend DASHBOARD_HOST',
};

function listenError(error: NodeJS.ErrnoException, host: string, port: number): VmSyncError {
  const why =
    LISTEN_FAULTS[error.code ?? ''] ?? `${error.message} (DASHBOARD_HOST, DASHBOARD_PORT)`;
  return new VmSyncError('final', `the dashboard cannot listen on ${host} port ${port}: ${why}`, {
    cause: error,
  });
}

/** A slow reader is given this long before its connection is cut. */
const FAREWELL_MS = 5_000;

async function closeServer(server: Server): Promise<void> {
  const cut = setTimeout(() => server.closeAllConnections(), FAREWELL_MS);
  try {
    await new Promise<void>((resolve) => {
      server.close(() => resolve());
      server.closeIdleConnections();
    });
  } finally {
    clearTimeout(cut);
  }
}
