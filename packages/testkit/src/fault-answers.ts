import { once } from 'node:events';
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';
import { buffer } from 'node:stream/consumers';
import { corruptor, paced } from './bodies.ts';
import type { Fault, ProxiedRequest } from './faults.ts';

/** The answer's body on its way back, and what goes wrong with it. */
type Answering = {
  answer: IncomingMessage;
  response: ServerResponse;
  record: ProxiedRequest;
  fault: Fault | undefined;
  lifted: AbortSignal;
};

/** Answers of one value that is this day's are taken for a clock's. */
export async function shiftClock(
  answer: IncomingMessage,
  response: ServerResponse,
  record: ProxiedRequest,
  ms: number,
): Promise<void> {
  const body = String(await buffer(answer)).replace(
    /"value":\[([\d.]+),"(\d+\.?\d*)"\]/,
    (said, at: string, seconds: string) =>
      Math.abs(Number(seconds) * 1000 - Date.now()) < 86_400_000
        ? `"value":[${at},"${Number(seconds) + ms / 1000}"]`
        : said,
  );
  record.bytes = Buffer.byteLength(body);
  response.writeHead(record.status, ownHeaders(answer.headers, true)).end(body);
}

/** Passes the answer on, part by part, each when the one before has left. */
export async function relay({ answer, response, record, fault, lifted }: Answering): Promise<void> {
  const cut = fault?.kind === 'cut' ? fault : undefined;
  response.writeHead(record.status, ownHeaders(answer.headers, cut?.end === 'clean'));
  const left = once(response, 'close').then(() => Promise.reject(new Error('the client has left')));
  left.catch(() => {});
  for await (const chunk of partsOf(answer, fault, lifted)) {
    let part = chunk.subarray(0, (cut?.afterBytes ?? Number.POSITIVE_INFINITY) - record.bytes);
    if (cut?.wholeLines && part.length < chunk.length) {
      part = part.subarray(0, part.lastIndexOf('\n') + 1);
    }
    record.bytes += part.length;
    await Promise.race([written(response, part), left]);
    if (part.length === chunk.length) continue;
    if (cut?.end === 'reset') response.socket?.resetAndDestroy();
    break; // ends the request behind as well
  }
  response.end();
}

async function* partsOf(
  answer: IncomingMessage,
  fault: Fault | undefined,
  lifted: AbortSignal,
): AsyncGenerator<Buffer> {
  const change = fault?.kind === 'corrupt' ? corruptor(fault) : undefined;
  for await (const chunk of answer as AsyncIterable<Buffer>) {
    if (fault?.kind === 'drip') yield* paced(chunk, fault.bytesPerS, lifted);
    else yield change?.(chunk) ?? chunk;
  }
}

/** Hop-by-hop headers are this connection's own; a length would betray a body that ends too early. */
function ownHeaders(headers: IncomingHttpHeaders, withoutLength: boolean): IncomingHttpHeaders {
  const { connection, 'keep-alive': keepAlive, 'transfer-encoding': encoding, ...own } = headers;
  if (withoutLength) delete own['content-length'];
  return own;
}

async function written(response: ServerResponse, part: Buffer): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    response.write(part, (error) => (error ? reject(error) : resolve()));
  });
}
