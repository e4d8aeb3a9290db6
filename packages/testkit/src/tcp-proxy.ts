import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { paced, put } from './bodies.ts';
import { freePort } from './ports.ts';

/** What goes wrong with bytes, of open connections too. */
export type TcpFault =
  /** Every piece comes so much later, in both directions. */
  | { kind: 'delay'; ms: number }
  /** Nothing listens; what is open is reset. */
  | { kind: 'refuse' }
  /** What is open is reset, and so is each new connection. */
  | { kind: 'reset' }
  /** Nothing passes, and nothing is said; once lifted, what was sent meanwhile arrives, as TCP's repeating would have it. */
  | { kind: 'black-hole' }
  /** What the client sends arrives, and nothing comes back; once lifted, a connection that lost something is reset. */
  | { kind: 'half-open' }
  /** Answers trickle. */
  | { kind: 'drip'; bytesPerS: number }
  /** Each connection is reset after so many more bytes of answers. */
  | { kind: 'cut'; afterBytes: number };

export type TcpProxy = {
  readonly port: number;
  /** How many are open. */
  connections(): number;
  /** The fault from now on; null for none. */
  setFault(fault: TcpFault | null): void;
  stop(): Promise<void>;
};

type Line = {
  client: Socket;
  target: Socket;
  /** Bytes of answers passed on since the fault was set. */
  answered: number;
  /** Something was swallowed that the other end believes to have arrived. */
  broken: boolean;
};

/** A TCP proxy before a server of this machine that can go wrong in chosen ways. */
export async function startTcpProxy(target: { port: number; host?: string }): Promise<TcpProxy> {
  const port = await freePort();
  const lines = new Set<Line>();
  let fault: TcpFault | null = null;
  let lift = new AbortController();
  const current = (): Current => ({ fault, lifted: lift.signal });
  const open = (client: Socket): void => {
    if (fault?.kind === 'reset' || fault?.kind === 'refuse') return void client.resetAndDestroy();
    const { host = '127.0.0.1' } = target;
    const line = { client, target: connect(target.port, host), answered: 0, broken: false };
    lines.add(line);
    const close = (): void => {
      lines.delete(line);
      line.client.destroy();
      line.target.destroy();
    };
    for (const socket of [line.client, line.target]) {
      socket.setNoDelay(true).on('error', () => {}); // its end is told by 'close'
      socket.once('close', close);
    }
    void pass(line, 'requests', current).catch(close);
    void pass(line, 'answers', current).catch(close);
  };
  const server = createServer({ allowHalfOpen: true }, open);
  await listen(server, port);
  return {
    port,
    connections: () => lines.size,
    setFault(next) {
      const before = fault;
      fault = next;
      lift.abort();
      lift = new AbortController();
      for (const line of lines) {
        line.answered = 0;
        if (line.broken || next?.kind === 'reset' || next?.kind === 'refuse') cut(line);
      }
      if (next?.kind === 'refuse') server.close();
      else if (before?.kind === 'refuse') server.listen(port, '127.0.0.1');
    },
    async stop() {
      for (const line of lines) cut(line);
      server.close();
      if (server.listening) await once(server, 'close');
    },
  };
}

/** The fault in force, and the signal that it is over. */
type Current = { fault: TcpFault | null; lifted: AbortSignal };

async function listen(server: Server, port: number): Promise<void> {
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
}

function cut({ client, target }: Line): void {
  client.resetAndDestroy();
  target.destroy();
}

/** One direction of a connection, to its end. */
async function pass(
  line: Line,
  what: 'requests' | 'answers',
  current: () => Current,
): Promise<void> {
  const [from, to] = what === 'requests' ? [line.client, line.target] : [line.target, line.client];
  for await (const chunk of from as AsyncIterable<Buffer>) {
    for await (const part of throughFault(chunk, line, what, current)) await put(to, part);
  }
  to.end();
}

async function* throughFault(
  chunk: Buffer,
  line: Line,
  what: 'requests' | 'answers',
  current: () => Current,
): AsyncGenerator<Buffer> {
  while (current().fault?.kind === 'black-hole') await over(current().lifted);
  const { fault, lifted } = current();
  if (fault?.kind === 'delay') await sleep(fault.ms);
  if (what === 'requests') return yield chunk;
  if (fault?.kind === 'half-open') {
    line.broken = true;
    return;
  }
  if (fault?.kind === 'drip') return yield* paced(chunk, fault.bytesPerS, lifted);
  if (fault?.kind !== 'cut') return yield chunk;
  const part = chunk.subarray(0, fault.afterBytes - line.answered);
  line.answered += part.length;
  yield part;
  if (part.length < chunk.length) cut(line);
}

async function over(lifted: AbortSignal): Promise<void> {
  if (!lifted.aborted) await once(lifted, 'abort');
}
