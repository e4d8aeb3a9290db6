import { once } from 'node:events';
import { readdir } from 'node:fs/promises';
import { connect as openSocket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { until } from '@vm-sync/testkit';
import { expect, test } from 'vitest';
import { ask, gapsStatus, readyStatus, startBench } from './setup.ts';

/** As the page's script does. */
const EVERY_MS = 750;
/** An open page is told what was true so long ago at the most. */
const SHARED_MS = 1_000;

interface Seen {
  readonly sentMs: number;
  readonly answeredMs: number;
  readonly status: number;
  /** What the page says that this client has now. */
  readonly says: 'ready' | 'gaps';
}

/** An open page: asks for news with the version that it has, and keeps what it was shown. */
async function openPage(url: string, seen: Seen[], signal: AbortSignal): Promise<void> {
  let etag = '"none"';
  let says: Seen['says'] = 'gaps';
  while (!signal.aborted) {
    const sentMs = performance.now();
    const headers = { accept: 'text/html', 'if-none-match': etag, 'cache-control': 'max-age=0' };
    const answer = await ask(url, { headers });
    if (answer.status === 200) {
      etag = answer.headers.get('etag') ?? '';
      says = answer.text.includes('a gap has been found') ? 'gaps' : 'ready';
      expect(answer.text).toMatch(/<\/html>\s*$/);
    }
    seen.push({ sentMs, answeredMs: performance.now(), status: answer.status, says });
    await sleep(EVERY_MS, undefined, { signal }).catch(() => undefined);
  }
}

const READS = ['/api/status', '/api/runs', '/api/checks', '/runs', '/metrics', '/parity/dr'];

/** A program that asks one thing after the other. */
async function program(url: string, statuses: Set<string>, signal: AbortSignal): Promise<void> {
  for (let at = 0; !signal.aborted; at++) {
    const path = READS[at % READS.length] as string;
    const { status, text } = await ask(`${url}${path}`);
    if (path.startsWith('/api/')) JSON.parse(text);
    statuses.add(`${path} ${status}`);
    await sleep(100);
  }
}

const GET = 'GET / HTTP/1.1\r\nHost: localhost\r\nAccept: text/html\r\n';

/** Takes its answer in small sips; answers with all of it. */
async function slowReader(port: number): Promise<string> {
  const socket = openSocket(port, '127.0.0.1');
  socket.write(`${GET}Connection: close\r\n\r\n`);
  let text = '';
  for await (const part of socket.setEncoding('utf8') as AsyncIterable<string>) {
    text += part;
    await sleep(20);
  }
  return text;
}

/** Leaves in the middle of its answer, again and again. */
async function leaver(port: number, times: number): Promise<void> {
  for (let at = 0; at < times; at++) {
    const socket = openSocket(port, '127.0.0.1');
    socket.on('error', () => undefined); // its own leaving
    socket.write(`${GET}\r\n`);
    await Promise.race([once(socket, 'data'), once(socket, 'close')]);
    socket.destroy();
  }
}

/** Asks once, and leaves its connection open. */
async function idler(port: number): Promise<{ readonly text: string; end(): void }> {
  const socket = openSocket(port, '127.0.0.1');
  socket.on('error', () => undefined);
  socket.write(`${GET}\r\n`);
  const [data] = await once(socket, 'data');
  return { text: String(data), end: () => socket.destroy() };
}

test('a hundred clients, slow ones, leaving ones and idle ones among them: each is told the truth, and nothing is left of them', async () => {
  const bench = await startBench();
  await bench.store.saveStatus(readyStatus());
  const { url } = bench.dashboard;
  const port = Number(new URL(url).port);
  await bench.get('/');
  const filesBefore = await openFiles();
  const people = new AbortController();
  const pages = Array.from({ length: 60 }, (): Seen[] => []);
  const statuses = new Set<string>();
  const all = Promise.all([
    ...pages.map((seen) => openPage(url, seen, people.signal)),
    ...Array.from({ length: 10 }, () => program(url, statuses, people.signal)),
  ]);
  const texts = Promise.all(Array.from({ length: 10 }, () => slowReader(port)));
  const leaving = Promise.all(Array.from({ length: 10 }, () => leaver(port, 20)));
  const idle = await Promise.all(Array.from({ length: 10 }, () => idler(port)));

  await until('every page shown', () => pages.every((seen) => seen.some(isSaying('ready'))));
  const changingMs = performance.now();
  await bench.store.saveStatus(gapsStatus(['a gap has been found']));
  const changedMs = performance.now();
  await until('every page to know', () =>
    pages.every((seen) => seen.some((one) => one.sentMs >= changedMs + SHARED_MS)),
  );
  await leaving;
  people.abort();
  await all;

  for (const one of pages.flat()) {
    expect([200, 304]).toContain(one.status);
    if (one.sentMs >= changedMs + SHARED_MS) expect(one.says).toBe('gaps');
  }
  // Nobody was told of the gap before there was one.
  const early = pages.flat().filter(({ answeredMs }) => answeredMs < changingMs);
  expect(early.filter(({ says }) => says === 'gaps')).toEqual([]);
  expect(pages.flat().some(({ status }) => status === 304)).toBe(true);
  expect([...statuses].filter((one) => !/ (?:200|503)$/.test(one))).toEqual([]);
  for (const text of await texts) expect(text).toMatch(/^HTTP\/1\.1 200 [\s\S]*<\/html>\s*$/);
  for (const { text, end } of idle) {
    expect(text).toMatch(/^HTTP\/1\.1 200 /);
    end();
  }
  // Those of `fetch` are kept for a few seconds.
  await until('their connections to be closed', async () => (await openFiles()) <= filesBefore + 5);
}, 90_000);

const isSaying =
  (what: Seen['says']) =>
  ({ says }: Seen): boolean =>
    says === what;

const openFiles = async (): Promise<number> => (await readdir('/proc/self/fd')).length;
