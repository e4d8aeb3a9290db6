import { once } from 'node:events';
import { connect } from 'node:net';
import { programPath } from './binaries.ts';
import { temporaryFolder } from './folders.ts';
import { freePort } from './ports.ts';
import { startProcess } from './process.ts';
import { type Server, startServer } from './server.ts';

export type RedisServer = Server & {
  readonly url: string;
  readonly port: number;
  /** Forgets everything, as an emptied or replaced Redis would. */
  flushAll(): Promise<void>;
};

/** A Redis on loopback; with `appendonly` its data outlive kill() and start(), without they do not. */
export async function startRedis({
  appendonly = false,
}: {
  appendonly?: boolean;
} = {}): Promise<RedisServer> {
  const port = await freePort();
  const folder = temporaryFolder('redis');
  const name = `Redis on port ${port}`;
  const command = programPath('redis-server');
  const args = [
    ...['--bind', '127.0.0.1', '--port', String(port), '--dir', folder],
    ...['--save', '', '--appendonly', appendonly ? 'yes' : 'no'],
    ...['--maxmemory-policy', 'noeviction'],
  ];
  const ready = async (): Promise<boolean> => (await send(port, 'PING')) === '+PONG';
  const server = await startServer(name, () => startProcess({ name, command, args, ready }));
  return {
    ...server,
    get pid() {
      return server.pid;
    },
    url: `redis://127.0.0.1:${port}`,
    port,
    async flushAll() {
      const answer = await send(port, 'FLUSHALL');
      if (answer !== '+OK') throw new Error(`${name} answered FLUSHALL with ${answer}`);
    },
  };
}

/** One inline command and its one-line answer; spares the tests a client with its own reconnecting. */
async function send(port: number, command: string): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  try {
    const signal = AbortSignal.timeout(5000);
    await once(socket, 'connect', { signal });
    socket.write(`${command}\r\n`);
    const [answer] = await once(socket, 'data', { signal });
    return String(answer).trim();
  } finally {
    socket.destroy();
  }
}
