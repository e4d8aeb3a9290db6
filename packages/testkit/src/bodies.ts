import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import type { Writable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { gunzipSync } from 'node:zlib';
import type { Corruption } from './faults.ts';

/** Writes when there is room, and throws when nobody reads any more. */
export async function put(sink: Writable, part: Buffer): Promise<void> {
  if (sink.destroyed) throw new Error('the reader has left');
  if (sink.write(part)) return;
  const given = new AbortController();
  const { signal } = given;
  try {
    await Promise.race([once(sink, 'drain', { signal }), once(sink, 'close', { signal })]);
  } finally {
    given.abort();
  }
}

const biggestPart = 16_384;
const partsPerS = 20;

/** Small parts at a rate; when `lifted` says so, the rest at once. */
export async function* paced(
  chunk: Buffer,
  bytesPerS: number,
  lifted: AbortSignal,
): AsyncGenerator<Buffer> {
  const size = Math.min(biggestPart, Math.ceil(bytesPerS / partsPerS));
  for (let at = 0; at < chunk.length; at += size) {
    if (lifted.aborted) return yield chunk.subarray(at);
    const part = chunk.subarray(at, at + size);
    await sleep((part.length / bytesPerS) * 1000, undefined, { signal: lifted }).catch(() => {});
    yield part;
  }
}

const isDigit = (byte: number): boolean => byte >= 0x30 && byte <= 0x39;

/** Changes the last bit of one byte in so many, over all chunks of a body; a digit becomes its neighbour. */
export function corruptor({ everyBytes, digits }: Corruption): (chunk: Buffer) => Buffer {
  let passed = 0;
  return (chunk) => {
    const changed = Buffer.from(chunk);
    for (const [at, byte] of chunk.entries()) {
      passed += 1;
      if (passed < everyBytes || (digits && !isDigit(byte))) continue;
      changed[at] = byte ^ 1;
      passed = 0;
    }
    return changed;
  };
}

/** A request's body, uncompressed. */
export async function plainBody(request: IncomingMessage): Promise<Buffer> {
  const received = await buffer(request);
  return request.headers['content-encoding'] === 'gzip' ? gunzipSync(received) : received;
}

/** An even selection: of 10 lines and a share of 0.3, the 4th, 7th and 10th. */
export function keepShareOf(body: string, share: number): string {
  const lines = body.split('\n').filter((line) => line !== '');
  const kept = lines.filter((_, at) => Math.floor((at + 1) * share) > Math.floor(at * share));
  return kept.map((line) => `${line}\n`).join('');
}
