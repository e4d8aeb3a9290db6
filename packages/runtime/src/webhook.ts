import { createHmac } from 'node:crypto';
import { VmSyncError } from '@vm-sync/core';
import { request } from 'undici';
import { type NotifyTarget, notifyVariable } from './notify-targets.ts';
import { type OutgoingMessage, webhookBody } from './webhook-body.ts';

const TIMEOUT_MS = 10_000;

/** How long a receiver may ask for patience; what it asks beyond that is not believed. */
const PATIENCE_MOST_MS = 3_600_000;

/**
 * Posts a message; answers with the status. Throws a `VmSyncError` that names variable and host only, because the whole
 * URL is a secret: `final` when a person has to change something, `busy` when the receiver named a time to wait.
 */
export async function postWebhook(target: NotifyTarget, message: OutgoingMessage): Promise<number> {
  const place = `${new URL(target.url).host} (${notifyVariable('WEBHOOK', target.name)})`;
  const body = JSON.stringify(webhookBody(target.format, message));
  let status: number;
  let retryAfter: string | string[] | undefined;
  try {
    const response = await request(target.url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...signedHeaders(target, message, body) },
      body,
      headersTimeout: TIMEOUT_MS,
      bodyTimeout: TIMEOUT_MS,
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    status = response.statusCode;
    retryAfter = response.headers['retry-after'];
    await response.body.dump();
  } catch (error) {
    throw new VmSyncError('retryable', `notification not delivered: ${place}: ${codeOf(error)}`);
  }
  if (status >= 200 && status < 300) return status;
  const said = `notification not delivered: ${place} answered ${status}`;
  if (status >= 400 && status < 500 && status !== 408 && status !== 429) {
    const format = notifyVariable('FORMAT', target.name);
    throw new VmSyncError('final', `${said}; check the URL and ${format}`);
  }
  const retryAfterMs = patienceMs(retryAfter, message.nowMs);
  throw new VmSyncError(retryAfterMs === undefined ? 'retryable' : 'busy', said, { retryAfterMs });
}

function codeOf(error: unknown): string {
  if ((error as Error).name === 'TimeoutError') return `no answer within ${TIMEOUT_MS / 1e3}s`;
  return (error as NodeJS.ErrnoException).code ?? 'no answer';
}

/** Seconds or a date, as HTTP allows. */
function patienceMs(header: string | string[] | undefined, nowMs: number): number | undefined {
  if (typeof header !== 'string') return undefined;
  const ms = /^\d+$/.test(header.trim()) ? Number(header) * 1e3 : Date.parse(header) - nowMs;
  return ms > 0 ? Math.min(ms, PATIENCE_MOST_MS) : undefined;
}

/** For receivers of the format `json`: who sent it, when, and whether they have seen it. */
function signedHeaders(
  { format, secret }: NotifyTarget,
  { id, nowMs }: OutgoingMessage,
  body: string,
): Record<string, string> {
  if (format !== 'json') return {};
  const timestamp = `${Math.floor(nowMs / 1e3)}`;
  const headers = { 'x-vm-sync-id': id, 'x-vm-sync-timestamp': timestamp };
  if (secret === undefined) return headers;
  const digest = createHmac('sha256', secret).update(`${timestamp}.${body}`).digest('hex');
  return { ...headers, 'x-vm-sync-signature': `sha256=${digest}` };
}
