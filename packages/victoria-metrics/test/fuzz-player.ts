import { createServer, type IncomingMessage, request as openRequest } from 'node:http';
import { onTestFinished } from 'vitest';
import { listen } from './http-server.ts';

/** What a server answered. */
export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

/** What is played instead. */
export interface Played extends Answer {
  /** Where the body is cut into parts, each written by itself. */
  readonly cuts?: readonly number[];
  /** Said to be the body's length; the right one, or none with a body in chunks, when absent. */
  readonly length?: number | undefined;
  /** Torn off after the body, as by a server that died. */
  readonly torn?: boolean;
}

export interface Player {
  /** With a login, which must never be seen in a message. */
  readonly url: string;
  /** Answers of the real server at this URL are passed on and kept, by their path, until something is played. */
  record(target: string): void;
  /** What was recorded is given changed from now on; other requests are refused with a 404. */
  play(change: (answer: Answer) => Played): void;
  readonly recorded: ReadonlyMap<string, Answer>;
}

export const PASSWORD = 'never-to-be-seen';

/** A server that first passes on, and then plays what it has heard, in any wrong way. */
export async function startPlayer(): Promise<Player> {
  const recorded = new Map<string, Answer>();
  let target: string | undefined;
  let change: ((answer: Answer) => Played) | undefined;
  const server = createServer(async (request, response) => {
    const body = await bytesOf(request);
    const path = request.url ?? '';
    const key = path + ruleOf(body);
    if (target !== undefined && !change) {
      const answer = await ask(target + path, request, body);
      recorded.set(key, answer);
      response.writeHead(answer.status, answer.headers).end(answer.body);
      return;
    }
    const known = recorded.get(key);
    if (!known || !change) {
      response.writeHead(404).end();
      return;
    }
    const played = change(known);
    const length = played.length === undefined ? {} : { 'content-length': String(played.length) };
    response.writeHead(played.status, { ...played.headers, ...length, connection: 'close' });
    for (const part of partsOf(played)) response.write(part);
    const { socket } = response;
    // Also where more was announced: nobody waits for what never comes.
    if (played.torn) socket?.destroySoon();
    else response.end(() => socket?.destroySoon());
  });
  onTestFinished(() => server.closeAllConnections());
  const port = await listen(server);
  return {
    url: `http://operator:${PASSWORD}@127.0.0.1:${port}`,
    record(url) {
      target = url;
    },
    play(how) {
      change = how;
    },
    recorded,
  };
}

/** What tells the requests of one path apart, without what changes with the time. */
const ruleOf = (body: Buffer): string => {
  const query = new URLSearchParams(body.toString('latin1')).get('query') ?? '';
  return ` ${query.replaceAll(/\d{7,}s/g, '')}`;
};

function* partsOf({ body, cuts = [] }: Played): Generator<Buffer> {
  const ends = [...new Set(cuts.map((cut) => cut % (body.length + 1)))].sort((a, b) => a - b);
  let from = 0;
  for (const to of [...ends, body.length]) {
    if (to > from) yield body.subarray(from, to);
    from = to;
  }
}

async function bytesOf(stream: AsyncIterable<Buffer>): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of stream) parts.push(part);
  return Buffer.concat(parts);
}

function ask(url: string, { method, headers }: IncomingMessage, body: Buffer): Promise<Answer> {
  const { host: _, ...own } = headers;
  return new Promise((resolve, reject) => {
    const sent = openRequest(url, { method: method ?? 'GET', headers: own }, (answer) => {
      const { 'content-type': type = 'text/plain' } = answer.headers;
      bytesOf(answer).then(
        (whole) =>
          resolve({
            status: answer.statusCode ?? 500,
            headers: { 'content-type': type },
            body: whole,
          }),
        reject,
      );
    });
    sent.on('error', reject);
    sent.end(body);
  });
}
