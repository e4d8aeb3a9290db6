import { once } from 'node:events';
import {
  Agent,
  createServer,
  type IncomingMessage,
  request as openRequest,
  type ServerResponse,
} from 'node:http';
import type { AddressInfo } from 'node:net';

/** Bytes of bodies as they went over the wire, compressed where they were. */
export interface Moved {
  exported: number;
  imported: number;
  /** Of every other request: comparing, reading back. */
  asked: number;
  /** Of the servers' own metrics, which are read every few seconds however long it takes. */
  watched: number;
}

export interface CountingProxy extends AsyncDisposable {
  readonly url: string;
  readonly moved: Moved;
}

/** An HTTP proxy in front of a server that counts what passes. */
export async function startCountingProxy(target: string): Promise<CountingProxy> {
  const moved: Moved = { exported: 0, imported: 0, asked: 0, watched: 0 };
  const agent = new Agent({ keepAlive: true });
  const server = createServer((request, response) => {
    const kind = kindOf(request.url ?? '');
    pass(request, response, target, agent, (bytes) => {
      moved[kind] += bytes;
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    moved,
    async [Symbol.asyncDispose]() {
      server.close();
      server.closeAllConnections();
      agent.destroy();
      await once(server, 'close');
    },
  };
}

function kindOf(url: string): keyof Moved {
  if (url.startsWith('/api/v1/export')) return 'exported';
  if (url.startsWith('/api/v1/import')) return 'imported';
  return url.startsWith('/metrics') ? 'watched' : 'asked';
}

function pass(
  request: IncomingMessage,
  response: ServerResponse,
  target: string,
  agent: Agent,
  count: (bytes: number) => void,
): void {
  const { host: _, ...headers } = request.headers;
  const { method = 'GET', url = '' } = request;
  const upstream = openRequest(target + url, { method, headers, agent });
  upstream.on('error', () => response.destroy()); // what breaks behind breaks before it too
  upstream.on('response', (answer) => {
    response.writeHead(answer.statusCode ?? 502, answer.headers);
    answer.on('data', (part: Buffer) => count(part.length));
    answer.on('error', () => response.destroy());
    answer.pipe(response);
  });
  response.on('close', () => {
    if (!response.writableFinished) upstream.destroy();
  });
  request.on('data', (part: Buffer) => count(part.length));
  request.pipe(upstream);
}
