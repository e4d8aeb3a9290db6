import { execFile } from 'node:child_process';
import type { ServerResponse } from 'node:http';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { serve } from './http-server.ts';

const run = promisify(execFile);

/**
 * Does it in a process of its own, which may keep little: garbage is collected early then, and a process that keeps
 * what it reads ends with an error.
 */
async function measure(kind: string, url: string): Promise<{ result: number; grownMb: number }> {
  const script = join(import.meta.dirname, 'copy-and-measure.ts');
  const limits = ['--max-old-space-size=80', '--max-semi-space-size=8'];
  const args = [...limits, '--conditions=@vm-sync/source', script, kind, url];
  return JSON.parse((await run(process.execPath, args)).stdout);
}

/** A database that answers every reading request with these parts, and takes every import. */
const database = (parts: () => Iterable<string>): Promise<string> =>
  serve(async (request, response) => {
    request.resume();
    if (!request.url?.includes('/import')) return send(parts(), response);
    request.once('end', () => response.writeHead(204).end());
  });

const send = (parts: Iterable<string>, response: ServerResponse): Promise<void> =>
  pipeline(Readable.from(parts, { objectMode: false }), response).catch(() => {}); // the reader left

const LINES = 1_000;
const values = Array.from({ length: 10_000 }, (_, at) => (at % 100) / 8).join(',');
const timestamps = Array.from({ length: 10_000 }, (_, at) => 1_700_000_000_000 + at * 15_000).join(
  ',',
);

function* lines(): Generator<string> {
  for (let at = 0; at < LINES; at++) {
    yield `{"metric":{"__name__":"m","n":"${at}"},"values":[${values}],"timestamps":[${timestamps}]}\n`;
  }
}

function* matrix(): Generator<string> {
  const points = Array.from({ length: 288 }, (_, at) => `[${(at + 1) * 300},"20"]`).join(',');
  yield '{"status":"success","data":{"resultType":"matrix","result":[';
  for (let at = 0; at < 40_000; at++) {
    yield `${at === 0 ? '' : ','}{"metric":{"__name__":"m","n":"${at}"},"values":[${points}]}`;
  }
  yield ']}}';
}

// The bodies are about 200 MB each; what is made of them on the way takes several times that.
test.each([
  ['lines', lines, 10_000_000],
  ['missing', lines, 10_000_000],
  ['native', lines, undefined],
  ['tally', matrix, 40_000 * 288 * 20],
])('%s: memory does not grow with the answer', async (kind, parts, expected) => {
  const { result, grownMb } = await measure(kind, await database(parts));
  if (expected !== undefined) expect(result).toBe(expected);
  expect(grownMb).toBeLessThan(150);
});

function* endlessly(beginning: string): Generator<string> {
  yield beginning;
  for (;;) yield 'x'.repeat(65_536);
}

test.each([
  ['lines', ''],
  ['missing', '{"metric":{'],
  ['tally', '{"status":"success","data":{"resultType":"matrix","result":['],
  ['observe', '{"status":"'],
])('%s: an answer without end is refused before the memory is full', async (kind, beginning) => {
  const url = await database(() => endlessly(beginning));
  await expect(measure(kind, url)).rejects.toThrow(/cannot be read|without end/);
});
