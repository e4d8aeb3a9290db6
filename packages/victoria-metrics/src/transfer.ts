import { sampleSlot, seriesKey } from '@vm-sync/core';
import type { Endpoint } from './endpoint.ts';
import { type ExportLine, linesWith } from './lines.ts';
import { exportNative, nativeBytes } from './native.ts';
import type { SelectionRequest } from './query.ts';
import { exportLines, type ReadBlock, sampleTimestamps } from './rows.ts';

/** What went over the wire; `samples` is unknown for native blocks, which are not opened. */
export interface Moved {
  readonly bytes: number;
  readonly samples: number | undefined;
}

export interface CopyRequest extends SelectionRequest {
  /**
   * Asked before every part is sent, and waited for: it may slow the copy down, or stop it by throwing. The samples of
   * native blocks are not known.
   */
  readonly onBytes?: ((bytes: number, samples?: number) => Promise<void> | void) | undefined;
}

/** Bytes per write of the import's body: many small lines would cost a system call each. */
const BATCH_BYTES = 262_144;

/** Streams the source's blocks as they are; only for destinations that have nothing there and share the format. */
export async function copyNative(
  source: Endpoint,
  destination: Endpoint,
  request: CopyRequest,
): Promise<Moved> {
  return piped(destination, '/api/v1/import/native', request.signal, async function* (signal) {
    const response = await exportNative(source, { ...request, signal });
    try {
      for await (const part of nativeBytes(response.body, request.window)) {
        await request.onBytes?.(part.length);
        yield part;
      }
    } catch (error) {
      throw source.broken('export', error);
    } finally {
      response.body.on('error', () => {}).destroy();
    }
  });
}

/** Streams the source's samples as JSON lines, in a spelling that every version reads. */
export async function copyLines(
  source: Endpoint,
  destination: Endpoint,
  request: CopyRequest,
): Promise<Moved> {
  return pipedLines(source, destination, request, (line) =>
    line.hasSpecialValues
      ? linesWith(line, () => true)
      : { lines: [line.bytes], samples: line.length },
  );
}

/** The destination's timestamps by series, each list in the order of time, as `readTimestamps` gives them. */
export type Timestamps = ReadonlyMap<string, Float64Array>;

/** All timestamps of a window by series key, in the order of time. Memory: 8 bytes a sample, so ask for bounded windows only. */
export async function readTimestamps(
  endpoint: Endpoint,
  request: SelectionRequest,
): Promise<Map<string, Float64Array>> {
  const found = new Map<string, Float64Array[]>();
  const answer = exportLines(endpoint, request, (line) => {
    const key = seriesKey(line.labels);
    const parts = found.get(key);
    if (parts) parts.push(sampleTimestamps(line));
    else found.set(key, [sampleTimestamps(line)]);
  });
  for await (const _ of answer);
  return new Map([...found].map(([key, parts]) => [key, joined(parts)]));
}

function joined(parts: readonly Float64Array[]): Float64Array {
  const all = new Float64Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all.sort();
}

/**
 * Sends those samples of the source that the destination (`present`) lacks, and nothing else: right also where the
 * destination holds a part, and does not deduplicate.
 */
export async function copyMissing(
  source: Endpoint,
  destination: Endpoint,
  present: Timestamps,
  dedupMs: number,
  request: CopyRequest,
): Promise<Moved> {
  const none = new Float64Array();
  // A source that holds a sample several times may spread these over two lines: the sample is sent once.
  const lastSent = new Map<string, number>();
  return pipedLines(source, destination, request, (line) => {
    const key = seriesKey(line.labels);
    const there = present.get(key) ?? none;
    let last = lastSent.get(key);
    const missing = linesWith(line, (timestampMs) => {
      const slot = sampleSlot(timestampMs, dedupMs);
      if (slot === last || holds(there, slot, dedupMs)) return false;
      last = slot;
      return true;
    });
    if (last !== undefined) lastSent.set(key, last);
    return missing;
  });
}

/** Whether one of the timestamps, which are in the order of time, lies in the slot. */
function holds(timestamps: Float64Array, slot: number, dedupMs: number): boolean {
  let low = 0;
  let high = timestamps.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (sampleSlot(timestamps[middle] as number, dedupMs) < slot) low = middle + 1;
    else high = middle;
  }
  return low < timestamps.length && sampleSlot(timestamps[low] as number, dedupMs) === slot;
}

const LINE_BREAK = Buffer.from('\n');

/** What of a line is to be sent. */
interface Chosen {
  readonly lines: readonly Buffer[];
  readonly samples: number;
}

/** Sends what `choose` makes of every line of an export, in large parts, and copies no bytes that may go as they came. */
async function pipedLines(
  source: Endpoint,
  destination: Endpoint,
  request: CopyRequest,
  choose: (line: ExportLine) => Chosen,
): Promise<Moved> {
  let samples = 0;
  let told = 0;
  const tell = (bytes: number) => {
    const more = samples - told;
    told = samples;
    return request.onBytes?.(bytes, more);
  };
  const moved = await piped(
    destination,
    '/api/v1/import',
    request.signal,
    async function* (signal) {
      let batch: Buffer[] = [];
      let bytes = 0;
      for await (const block of exportLines(source, { ...request, signal }, choose)) {
        for (const chosen of block.read) samples += chosen.samples;
        const parts = partsOf(block);
        batch.push(...parts);
        for (const part of parts) bytes += part.length;
        if (bytes < BATCH_BYTES) continue;
        await tell(bytes);
        yield joinedBytes(batch, bytes);
        batch = [];
        bytes = 0;
      }
      if (bytes === 0) return;
      await tell(bytes);
      yield joinedBytes(batch, bytes);
    },
  );
  return { ...moved, samples };
}

function partsOf({ bytes, lines, read }: ReadBlock<Chosen>): Buffer[] {
  const asItCame = read.every((chosen, at) => chosen.lines[0] === lines[at]);
  if (asItCame) return [bytes];
  return read.flatMap((chosen) => chosen.lines.flatMap((line) => [line, LINE_BREAK]));
}

const joinedBytes = (parts: readonly Buffer[], bytes: number): Buffer =>
  parts.length === 1 ? (parts[0] as Buffer) : Buffer.concat(parts, bytes);

/**
 * Joins an export to an import as one act: backpressure reaches from the one to the other, when either end fails the
 * other is given up, and the error told is that of the end that failed first: the destination's refusal is the cause
 * of an export that breaks off, and a source that breaks off is the cause of an import that does.
 */
async function piped(
  destination: Endpoint,
  path: string,
  outer: AbortSignal | undefined,
  open: (signal: AbortSignal) => AsyncIterable<Uint8Array>,
): Promise<Moved> {
  const gone = new AbortController();
  const signal = outer ? AbortSignal.any([outer, gone.signal]) : gone.signal;
  let bytes = 0;
  let complete = false;
  let sourceError: unknown;
  async function* body(): AsyncGenerator<Uint8Array> {
    try {
      for await (const part of open(signal)) {
        bytes += part.length;
        yield part;
      }
      complete = true;
    } catch (error) {
      if (!gone.signal.aborted) sourceError = error;
      throw error;
    }
  }
  try {
    await destination.text({
      act: 'import',
      method: 'POST',
      base: 'write',
      path,
      body: body(),
      signal: outer,
      silenceMs: IMPORT_SILENCE_MS,
    });
    if (!complete) throw destination.strange('import', 'before it had read everything', 'write');
    return { bytes, samples: undefined };
  } catch (error) {
    gone.abort();
    throw sourceError ?? error;
  }
}

/** An import is answered at its end only; a server that waits for an insert slot takes up to a minute. */
const IMPORT_SILENCE_MS = 120_000;
