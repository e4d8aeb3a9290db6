import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import {
  importLines,
  makeSeries,
  type RedisServer,
  startRedis,
  startTcpProxy,
  startVictoriaMetrics,
  type TcpProxy,
  until,
} from '../src/index.ts';

/** A client that asks one thing after the other on one connection. */
class Client {
  readonly socket: Socket;
  heard = '';
  ended: string | undefined;
  constructor(port: number) {
    this.socket = connect(port, '127.0.0.1');
    this.socket.setEncoding('utf8').on('data', (text: string) => {
      this.heard += text;
    });
    this.socket.on('error', (error: NodeJS.ErrnoException) => {
      this.ended = error.code;
    });
    this.socket.on('close', () => {
      this.ended ??= 'closed';
    });
  }
  say(command: string): void {
    this.socket.write(`${command}\r\n`);
  }
  async answer(command: string): Promise<string> {
    this.heard = '';
    this.say(command);
    return until(`an answer to ${command}`, () => this.heard.trim(), { everyMs: 5 });
  }
  async ask(command: string, answer: string): Promise<void> {
    expect(await this.answer(command)).toBe(answer);
  }
  untilEnded(how: string): Promise<unknown> {
    return until(`the connection to end: ${how}`, () => this.ended === how, { everyMs: 5 });
  }
}

describe('TCP proxy before Redis', () => {
  let redis: RedisServer;
  let proxy: TcpProxy;
  let client: Client;
  let direct: Client;
  beforeAll(async () => {
    redis = await startRedis();
  });
  afterAll(() => redis.stop());
  beforeEach(async () => {
    proxy = await startTcpProxy({ port: redis.port });
    client = new Client(proxy.port);
    direct = new Client(redis.port);
    await client.ask('PING', '+PONG');
  });
  afterEach(async () => {
    client.socket.destroy();
    direct.socket.destroy();
    await proxy.stop();
  });

  test('passes on, counts what is open, and closes what either end closes', async () => {
    expect(proxy.connections()).toBe(1);
    client.say('QUIT');
    await client.untilEnded('closed');
    await until('nothing to be open', () => proxy.connections() === 0, { everyMs: 5 });
  });

  test('delays both ways', async () => {
    proxy.setFault({ kind: 'delay', ms: 50 });
    const began = performance.now();
    await client.ask('PING', '+PONG');
    expect(performance.now() - began).toBeGreaterThan(98);
  });

  test.each(['refuse', 'reset'] as const)('ends what is open and what comes: %s', async (kind) => {
    proxy.setFault({ kind });
    await client.untilEnded('ECONNRESET');
    const other = new Client(proxy.port);
    await other.untilEnded(kind === 'refuse' ? 'ECONNREFUSED' : 'ECONNRESET');
    proxy.setFault(null);
    const third = new Client(proxy.port);
    await third.ask('PING', '+PONG');
    third.socket.destroy();
  });

  test('a black hole swallows nothing: what was sent arrives afterwards', async () => {
    proxy.setFault({ kind: 'black-hole' });
    const other = new Client(proxy.port);
    await once(other.socket, 'connect');
    client.heard = '';
    client.say('SET held 1');
    other.say('PING');
    await direct.ask('EXISTS held', ':0');
    expect([client.heard, other.heard]).toEqual(['', '']);
    proxy.setFault(null);
    await until('the late answers', () => client.heard === '+OK\r\n' && other.heard !== '');
    await direct.ask('EXISTS held', ':1');
    other.socket.destroy();
  });

  test('half-open: what is sent arrives, nothing comes back, and in the end a reset', async () => {
    proxy.setFault({ kind: 'half-open' });
    client.heard = '';
    client.say('SET half 1');
    await until('it to arrive', async () => (await direct.answer('EXISTS half')) === ':1');
    expect(client.heard).toBe('');
    proxy.setFault(null);
    await client.untilEnded('ECONNRESET');
  });

  test('answers trickle until the fault is lifted', async () => {
    await direct.ask(`SET long ${'x'.repeat(5000)}`, '+OK');
    proxy.setFault({ kind: 'drip', bytesPerS: 1000 });
    client.heard = '';
    client.say('GET long');
    await until('the first bytes', () => client.heard !== '', { everyMs: 5 });
    expect(client.heard.length).toBeLessThan(2500);
    proxy.setFault(null);
    await until('the rest', () => client.heard.length === 5000 + '$5000\r\n\r\n'.length);
  });

  test('cuts a connection within an answer', async () => {
    await direct.ask(`SET long ${'x'.repeat(5000)}`, '+OK');
    proxy.setFault({ kind: 'cut', afterBytes: 100 });
    client.heard = '';
    client.say('GET long');
    await client.untilEnded('ECONNRESET');
    expect(client.heard.length).toBeLessThanOrEqual(100);
    expect(proxy.connections()).toBe(0);
  });

  test('a server that is gone ends the connection', async () => {
    await redis.kill();
    await client.untilEnded('closed');
    await redis.start();
  });
});

test('carries HTTP to a database', async () => {
  await using ends = new AsyncDisposableStack();
  const vm = await startVictoriaMetrics();
  ends.defer(() => vm.stop());
  const proxy = await startTcpProxy({ port: vm.port });
  ends.defer(() => proxy.stop());
  const url = `http://127.0.0.1:${proxy.port}`;
  const toMs = Math.floor(Date.now() / 60_000) * 60_000;
  const [series] = makeSeries({ count: 1, fromMs: toMs - 600_000, toMs, stepMs: 1000 });
  const line = JSON.stringify({ ...series, metric: series?.labels });
  await importLines(url, [line]);
  await vm.flush();
  const read = async (): Promise<string> =>
    (await fetch(`${url}/api/v1/export?match[]={__name__!=""}`)).text();
  const whole = await read();
  expect(whole.length).toBeGreaterThan(10_000);
  proxy.setFault({ kind: 'cut', afterBytes: 500 });
  await expect(read()).rejects.toThrow();
  proxy.setFault(null);
  expect(await read()).toBe(whole);
});
