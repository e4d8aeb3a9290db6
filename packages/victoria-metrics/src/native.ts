import { VmSyncError, type Window } from '@vm-sync/core';
import type { Endpoint } from './endpoint.ts';
import type { SelectionRequest } from './query.ts';
import { endToAskFor, exportForm } from './time.ts';

/** The time range in front of a native stream: start and end in ms, zigzag-coded, big endian. */
const HEADER_BYTES = 16;

/**
 * Asks whether the destination can read the source's native format, without writing anything: one series' blocks are
 * sent under a time range that holds none of its samples. Versions before and after 1.82 refuse each other with a 400.
 * Undefined when the source has nothing to try it with.
 */
export async function nativeIsShared(
  source: Endpoint,
  destination: Endpoint,
  request: SelectionRequest,
): Promise<boolean | undefined> {
  try {
    const sample = await firstBlock(source, request);
    if (!sample) return undefined;
    const probe = Buffer.from(sample);
    probe.writeBigInt64BE(zigzag(1), 0);
    probe.writeBigInt64BE(zigzag(1), HEADER_BYTES / 2);
    await destination.text({
      act: 'import',
      method: 'POST',
      base: 'write',
      path: '/api/v1/import/native',
      body: probe,
      signal: request.signal,
    });
    return true;
  } catch (error) {
    // A proxy that does not route the native paths, on either side, is as good a reason for JSON lines as another format.
    if (error instanceof VmSyncError && error.kind === 'final') return false;
    throw error;
  }
}

/** Every version refuses names and blocks of more than a megabyte: what says that it is longer is none. */
const BLOCK_MOST = 1024 * 1024;

/** The header and the first whole block of a native export, or undefined when it is empty. */
async function firstBlock(
  source: Endpoint,
  request: SelectionRequest,
): Promise<Buffer | undefined> {
  let bytes = Buffer.alloc(0);
  const response = await exportNative(source, request);
  try {
    for await (const part of response.body) {
      bytes = Buffer.concat([bytes, part]);
      const end = blockEnd(bytes);
      if (end === 'none') break;
      if (end !== undefined && bytes.length >= end) return bytes.subarray(0, end);
    }
    if (bytes.length === 0 || bytes.length === HEADER_BYTES) return undefined;
    throw source.strange('export', 'native blocks that cannot be read');
  } catch (error) {
    throw source.broken('export', error);
  } finally {
    response.body.on('error', () => {}).destroy();
  }
}

/** Where the first frame ends: `[length][metric name][length][block]` after the header; undefined while it is not known. */
function blockEnd(bytes: Buffer): number | 'none' | undefined {
  if (bytes.length < HEADER_BYTES + 4) return undefined;
  const nameLength = bytes.readUInt32BE(HEADER_BYTES);
  if (nameLength > BLOCK_MOST) return 'none';
  const blockLengthAt = HEADER_BYTES + 4 + nameLength;
  if (bytes.length < blockLengthAt + 4) return undefined;
  const blockLength = bytes.readUInt32BE(blockLengthAt);
  return blockLength > BLOCK_MOST ? 'none' : blockLengthAt + 4 + blockLength;
}

/**
 * The bytes of a native export, under a time range that ends where the window does: whoever imports them leaves out what
 * lies outside of it.
 */
export async function* nativeBytes(
  body: AsyncIterable<Uint8Array>,
  { toMs }: Window,
): AsyncGenerator<Uint8Array> {
  let header = endToAskFor(toMs) > toMs ? Buffer.alloc(0) : undefined;
  for await (const part of body) {
    if (!header) {
      yield part;
      continue;
    }
    header = Buffer.concat([header, part]);
    if (header.length < HEADER_BYTES) continue;
    header.writeBigInt64BE(zigzag(toMs), HEADER_BYTES / 2);
    yield header;
    header = undefined;
  }
  if (header && header.length > 0) yield header;
}

const zigzag = (positive: number): bigint => 2n * BigInt(positive);

export async function exportNative(
  source: Endpoint,
  request: SelectionRequest,
): ReturnType<Endpoint['call']> {
  return source.call({
    act: 'export',
    method: 'POST',
    path: '/api/v1/export/native',
    form: exportForm(request),
    signal: request.signal,
  });
}
