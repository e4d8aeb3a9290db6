import { once } from 'node:events';
import { connect as openSocket, type Socket } from 'node:net';
import { until } from '@vm-sync/testkit';
import { expect, onTestFinished, test } from 'vitest';
import { CONNECTIONS_MOST } from '../src/http/limits.ts';
import { connectionsOf } from './connections-of.ts';
import { type Bench, readyStatus, startBench } from './setup.ts';

/** Sooner than Node would end any of them by itself, and later than a busy machine needs. */
const PATIENCE = { deadlineMs: 50_000, everyMs: 200 };

/** Connections that say this and then no more, or a little now and then. */
async function openMany(
  { dashboard }: Bench,
  count: number,
  says: string,
  more?: string,
): Promise<Socket[]> {
  const { port } = new URL(dashboard.url);
  const sockets = Array.from({ length: count }, () => openSocket(Number(port), '127.0.0.1'));
  for (const socket of sockets) {
    socket.on('error', () => undefined); // ended by the other side, which is what is looked for
    onTestFinished(() => void socket.destroy());
  }
  await Promise.all(sockets.map((socket) => once(socket, 'connect')));
  for (const socket of sockets) {
    socket.resume();
    if (says !== '') socket.write(says);
  }
  if (more !== undefined) {
    const dripping = setInterval(() => {
      for (const socket of sockets) if (socket.writable) socket.write(more);
    }, 500);
    onTestFinished(() => clearInterval(dripping));
  }
  return sockets;
}

const isEnded = ({ destroyed, readableEnded }: Socket): boolean => destroyed || readableEnded;

const untilEnded = (what: string, sockets: readonly Socket[]) =>
  until(`${what} to be ended`, () => sockets.every(isEnded), PATIENCE);

const HEAD = 'Host: localhost\r\n';

const KINDS: readonly (readonly [what: string, says: string, more?: string])[] = [
  ['who say nothing', ''],
  ['who send their head byte by byte', `GET /healthz HTTP/1.1\r\n${HEAD}X-A: `, 'a'],
  ['who never end their head', `GET /healthz HTTP/1.1\r\n${HEAD}`, 'X-A: a\r\n'],
  [
    'who never end their body',
    `POST /api/chunks/retry HTTP/1.1\r\n${HEAD}Content-Type: application/json\r\nContent-Length: 1000\r\n\r\n{`,
    ' ',
  ],
  ['who keep a connection that they do not use', `GET /healthz HTTP/1.1\r\n${HEAD}\r\n`],
];

test('clients who hold connections, or read nothing of what they asked for, are ended, and keep nobody from being answered', async () => {
  const bench = await startBench();
  await bench.store.saveStatus(readyStatus());
  const held = await Promise.all(
    KINDS.map(
      async ([what, says, more]) => [what, await openMany(bench, 100, says, more)] as const,
    ),
  );
  // Far more than two kernels hold for them.
  const page = `GET / HTTP/1.1\r\n${HEAD}If-None-Match: "x"\r\n\r\n`;
  const deaf = await openMany(bench, 10, page.repeat(2_000));
  for (const socket of deaf) socket.pause();
  for (const path of ['/healthz', '/', '/parity/primary']) {
    expect([path, (await bench.get(path)).status]).toEqual([path, 200]);
  }
  for (const [what, sockets] of held) await untilEnded(`all ${what}`, sockets);
  // Those who do not read do not see their end either; the test's own connections are kept for a while.
  await until(
    'all connections to be ended',
    async () => (await connectionsOf(bench)) <= 3,
    PATIENCE,
  );
  expect((await bench.get('/parity/primary')).status).toBe(200);
}, 120_000);

test('more connections than are allowed are refused, those that are served go on, and when the flood ends all is well', async () => {
  const bench = await startBench();
  await bench.store.saveStatus(readyStatus());
  const flood = await openMany(bench, CONNECTIONS_MOST - 1, '');
  const [kept] = (await openMany(bench, 1, '')) as [Socket];
  const refused = await openMany(bench, 200, '');
  await until('the others to be refused', () => refused.every(isEnded), PATIENCE);
  const answer = Promise.race([once(kept, 'data'), once(kept, 'close')]);
  kept.write(`GET /readyz HTTP/1.1\r\n${HEAD}\r\n`);
  expect(String(await answer)).toMatch(/^HTTP\/1\.1 200 /);
  for (const socket of flood) socket.destroy();
  const { status } = await until(
    'to be let in again',
    () => bench.get('/parity/primary'),
    PATIENCE,
  );
  expect(status).toBe(200);
}, 120_000);
