import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Logger } from '@vm-sync/runtime';
import { oncePer } from '../once-per.ts';

/**
 * Of every connection, so that those who send nothing, or byte by byte, hold no place for long. Node's own are 60 s for the head,
 * 300 s for the whole, looked at every 30 s, and 120 s for the handshake of TLS.
 */
export const SERVER_LIMITS = {
  headersTimeout: 10_000,
  requestTimeout: 15_000,
  connectionsCheckingInterval: 2_000,
} as const;
export const HANDSHAKE_MS = 10_000;

/** A hundred open pages need six each at the most. Node knows no limit, but that of the process' open files, which Redis needs too. */
export const CONNECTIONS_MOST = 1_000;

/** So long an answer waits for a reader that takes no more of it. Node waits for ever. */
const READ_MS = 15_000;

/** The same while it is worked out, or streamed; a dry run may take minutes. */
const QUIET_MS = 600_000;

const LOG_EVERY_MS = 60_000;

/** Bounds what strangers can hold: connections, and answers that nobody reads. */
export function limitConnections(server: Server, log: Logger): void {
  server.maxConnections = CONNECTIONS_MOST;
  server.timeout = QUIET_MS;
  server.on('request', (_request: IncomingMessage, response: ServerResponse) => {
    // It has been handed over whole: now it is the reader's turn.
    response.once('prefinish', () => response.socket?.setTimeout(READ_MS));
  });
  const tell = oncePer(LOG_EVERY_MS, (message) => log.warn(message));
  server.on('drop', () =>
    tell(`dashboard: ${CONNECTIONS_MOST} connections are open: more are refused`),
  );
}
