import { type ClientRequest, type IncomingMessage, request as openRequest } from 'node:http';
import { corruptor, keepShareOf, paced, plainBody, put } from './bodies.ts';
import type { Fault, ProxiedRequest } from './faults.ts';

/** The request's body on its way to the server, and what goes wrong with it. */
type Upload = {
  request: IncomingMessage;
  upstream: ClientRequest;
  record: ProxiedRequest;
  fault: Fault | undefined;
  lifted: AbortSignal;
};

/** The same request to the server behind; its body is still to come. */
export function openUpstream(target: string, request: IncomingMessage): ClientRequest {
  const { host, ...headers } = request.headers;
  return openRequest(target + (request.url ?? ''), {
    method: request.method ?? 'GET',
    headers: { ...headers, connection: 'close' },
    agent: false,
  });
}

/** Passes the body on. What breaks on the way shows in the server's answer, or in that there is none. */
export async function upload({ request, upstream, record, fault, lifted }: Upload): Promise<void> {
  try {
    const whole = await wholeBody(request, fault);
    if (whole) sendWhole(upstream, whole, record);
    else await stream({ request, upstream, record, fault, lifted });
  } catch {
    request.resume(); // the server's answer, or the client's going, says why
  }
}

/** The body as it is sent when it had to be read whole for that. */
async function wholeBody(
  request: IncomingMessage,
  fault: Fault | undefined,
): Promise<Buffer | undefined> {
  if (fault?.kind === 'drop-rows') {
    return Buffer.from(keepShareOf(String(await plainBody(request)), fault.keepShare));
  }
  if (fault?.kind !== 'corrupt-request' || !fault.plain) return undefined;
  return corruptor(fault)(await plainBody(request));
}

function sendWhole(upstream: ClientRequest, body: Buffer, record: ProxiedRequest): void {
  upstream.removeHeader('content-encoding');
  upstream.removeHeader('transfer-encoding');
  upstream.setHeader('content-length', body.length);
  record.sent = body.length;
  upstream.end(body);
}

async function stream({ request, upstream, record, fault, lifted }: Upload): Promise<void> {
  const left = fault?.kind === 'cut-request' ? fault.afterBytes : Number.POSITIVE_INFINITY;
  for await (const part of partsOf(request, fault, lifted)) {
    const passed = part.subarray(0, left - record.sent);
    record.sent += passed.length;
    await put(upstream, passed);
    if (passed.length === part.length) continue;
    if (fault?.kind === 'cut-request' && fault.end === 'clean') continue; // of the rest nothing passes
    upstream.destroy();
    return;
  }
  upstream.end();
}

async function* partsOf(
  request: IncomingMessage,
  fault: Fault | undefined,
  lifted: AbortSignal,
): AsyncGenerator<Buffer> {
  const change = fault?.kind === 'corrupt-request' ? corruptor(fault) : undefined;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    if (fault?.kind === 'slow-request') yield* paced(chunk, fault.bytesPerS, lifted);
    else yield change?.(chunk) ?? chunk;
  }
}
