import { createServer, type IncomingHttpHeaders } from 'node:http';
import { text } from 'node:stream/consumers';
import { close, listen } from './loopback.ts';

export type WebhookMessage = {
  method: string;
  path: string;
  headers: IncomingHttpHeaders;
  body: string;
  /** The body parsed, undefined when it is no JSON. */
  json: unknown;
};

export type Webhook = {
  readonly url: string;
  /** What came in, oldest first, also what was answered with an error. */
  readonly messages: WebhookMessage[];
  /** Status and headers of the answers from now on; 200 and none at first. */
  setStatus(status: number, headers?: Record<string, string>): void;
  stop(): Promise<void>;
};

/** A local HTTP server that keeps what is posted to it. */
export async function startWebhook(): Promise<Webhook> {
  const messages: WebhookMessage[] = [];
  let status = 200;
  let answered: Record<string, string> = {};
  const server = createServer(async (request, response) => {
    const { method = '', url = '', headers } = request;
    const body = await text(request).catch(() => undefined);
    if (body === undefined) return; // the sender left in mid-message
    messages.push({ method, path: url, headers, body, json: parsed(body) });
    response.writeHead(status, answered).end();
  });
  const url = await listen(server);
  return {
    url,
    messages,
    setStatus: (next, nextHeaders = {}) => {
      status = next;
      answered = nextHeaders;
    },
    stop: () => close(server),
  };
}

function parsed(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    return undefined;
  }
}
