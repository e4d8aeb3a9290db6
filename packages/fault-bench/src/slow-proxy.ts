import { createServer, request as openRequest } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

export type SlowProxy = AsyncDisposable & {
  readonly url: string;
  /** Bytes of imports that were passed on so far. */
  readonly imported: number;
  /** Imports pass at this rate from now on; undefined for as fast as can be. */
  setRate(bytesPerSecond: number | undefined): void;
};

const partBytes = 16_384;
const agent = { agent: false } as const;

/**
 * A line between sites on which imports take their time, so that a process can be caught in the middle of one. What
 * has passed is written by the database at once; when the sender is gone, so is the rest.
 */
export async function startSlowProxy(target: string, bytesPerSecond: number): Promise<SlowProxy> {
  let rate: number | undefined = bytesPerSecond;
  let imported = 0;
  const server = createServer(async (request, response) => {
    const { host: _, ...headers } = request.headers;
    const upstream = openRequest(target + (request.url ?? ''), {
      ...agent,
      method: request.method ?? 'GET',
      headers: { ...headers, connection: 'close' },
    });
    upstream.on('error', () => response.destroy());
    upstream.on('response', (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    });
    response.on('close', () => upstream.destroy());
    // What vm-sync writes about itself is no import of data.
    const isImport = /\/api\/v1\/import(?!.*own=vmsync)/.test(request.url ?? '');
    try {
      for await (const chunk of request as AsyncIterable<Buffer>) {
        for (let at = 0; at < chunk.length; at += partBytes) {
          const part = chunk.subarray(at, at + partBytes);
          if (isImport && rate !== undefined) await sleep((part.length / rate) * 1000);
          if (isImport) imported += part.length;
          upstream.write(part);
        }
      }
      upstream.end();
    } catch {
      upstream.destroy(); // the sender is gone
    }
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    get imported() {
      return imported;
    },
    setRate: (next) => {
      rate = next;
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((done) => server.close(done));
    },
  };
}
