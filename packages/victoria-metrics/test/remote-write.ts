import { request } from 'undici';

/** The bits by which Prometheus marks the end of a series; every other NaN is dropped when it comes in. */
const STALE_MARKER = 0x7ff0000000000002n;

/** Writes a value or, where it is undefined, a staleness marker: JSON cannot carry one, remote write can. */
export async function writeRemotely(
  url: string,
  labels: Record<string, string>,
  samples: readonly (readonly [timestampMs: number, value: number | undefined])[],
): Promise<void> {
  const pairs = Object.entries(labels).map(([name, value]) =>
    field(1, Buffer.concat([field(1, Buffer.from(name)), field(2, Buffer.from(value))])),
  );
  const points = samples.map(([timestampMs, value]) => {
    const double = Buffer.alloc(9, 0x09);
    if (value === undefined) double.writeBigUInt64LE(STALE_MARKER, 1);
    else double.writeDoubleLE(value, 1);
    return field(2, Buffer.concat([double, Buffer.of(0x10), varint(BigInt(timestampMs))]));
  });
  const { statusCode, body } = await request(`${url}/api/v1/write`, {
    method: 'POST',
    body: snappyLiteral(field(1, Buffer.concat([...pairs, ...points]))),
  });
  const text = await body.text();
  if (statusCode !== 204) throw new Error(`remote write answered ${statusCode}: ${text}`);
}

const field = (number: number, bytes: Buffer): Buffer =>
  Buffer.concat([Buffer.of((number << 3) | 2), varint(BigInt(bytes.length)), bytes]);

function varint(value: bigint): Buffer {
  const bytes: number[] = [];
  for (let rest = value; ; rest >>= 7n) {
    if (rest < 0x80n) return Buffer.from([...bytes, Number(rest)]);
    bytes.push(Number(rest & 0x7fn) | 0x80);
  }
}

/** A snappy block that is one uncompressed literal. */
function snappyLiteral(bytes: Buffer): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32LE(bytes.length - 1);
  return Buffer.concat([varint(BigInt(bytes.length)), Buffer.of(63 << 2), length, bytes]);
}
