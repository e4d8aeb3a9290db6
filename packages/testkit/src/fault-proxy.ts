import { once } from 'node:events';
import {
  type ClientRequest,
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  request as openRequest,
  type ServerResponse,
} from 'node:http';
import { buffer } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { gunzipSync } from 'node:zlib';
import {
  type Fault,
  type FaultMatch,
  type FaultRules,
  faultRules,
  isMet,
  isOwn,
  keepShareOf,
} from './faults.ts';
import { close, listen } from './loopback.ts';

export type ProxiedRequest = {
  method: string;
  /** With the query. */
  path: string;
  /** What was answered; 0 while, or because, nothing was. */
  status: number;
  /** Bytes of the answer's body that were passed on. */
  bytes: number;
};

export type FaultProxy = {
  readonly url: string;
  /** Every request, in order of arrival, but for those of vm-sync's own series. */
  readonly requests: ProxiedRequest[];
  /** Those of vm-sync's own series. */
  readonly ownRequests: ProxiedRequest[];
  /** The faults from now on; null for none. Delays add up, of the others the first that fits acts. */
  setFault(fault: Fault | readonly Fault[] | null): void;
  /** Runs `act` once, when the next request that fits arrives; the request is passed on only after it. Resolves when it has happened. */
  meet(match: FaultMatch, act?: () => void | Promise<void>): Promise<void>;
  stop(): Promise<void>;
};

/** An HTTP proxy in front of `target` (a base URL) that can go wrong in chosen ways. Bodies are streamed. */
export async function startFaultProxy({ target }: { target: string }): Promise<FaultProxy> {
  const requests: ProxiedRequest[] = [];
  const ownRequests: ProxiedRequest[] = [];
  let rules: FaultRules = faultRules([]);
  const meetings = new Set<{ match: FaultMatch; hold: () => Promise<void> }>();
  const server = createServer(async (request, response) => {
    const { method = '', url = '' } = request;
    const record = { method, path: url, status: 0, bytes: 0 };
    (isOwn(url) ? ownRequests : requests).push(record);
    try {
      for (const meeting of meetings) {
        if (!isMet(meeting.match, request)) continue;
        meetings.delete(meeting);
        await meeting.hold();
      }
      await serve(target, request, response, record, rules(request));
    } catch {
      response.destroy(); // what broke behind the proxy breaks before it too
    }
  });
  const url = await listen(server);
  return {
    url,
    requests,
    ownRequests,
    setFault: (fault) => {
      rules = faultRules(fault === null ? [] : [fault].flat());
    },
    meet: (match, act = () => {}) =>
      new Promise((resolve, reject) => {
        meetings.add({
          match,
          hold: async () => {
            try {
              await act();
              resolve();
            } catch (error) {
              reject(error);
            }
          },
        });
      }),
    stop: () => close(server),
  };
}

async function serve(
  target: string,
  request: IncomingMessage,
  response: ServerResponse,
  record: ProxiedRequest,
  faults: readonly Fault[],
): Promise<void> {
  for (const fault of faults) if (fault.kind === 'delay') await sleep(fault.ms);
  const fault = faults.find(({ kind }) => kind !== 'delay');
  if (fault?.kind === 'black-hole') {
    request.resume();
    return;
  }
  if (fault?.kind === 'answer') {
    request.resume();
    record.status = fault.status;
    record.bytes = Buffer.byteLength(fault.body ?? '');
    response.writeHead(fault.status, fault.headers).end(fault.body);
    return;
  }
  const upstream = openUpstream(target, request);
  // Compressed, nobody could read what is to be changed.
  if (fault?.kind === 'shift-clock') upstream.removeHeader('accept-encoding');
  response.once('close', () => upstream.destroy());
  const answered = answerOf(upstream);
  if (fault?.kind === 'drop-rows') await sendShare(request, upstream, fault.keepShare);
  else request.pipe(upstream);
  const answer = await answered;
  if (answer === undefined) {
    request.resume();
    record.status = 502;
    response.writeHead(502).end('the server behind the proxy does not answer\n');
    return;
  }
  record.status = answer.statusCode ?? 0;
  if (fault?.kind === 'shift-clock') return shiftClock(answer, response, record, fault.ms);
  await relay(answer, response, record, fault?.kind === 'cut' ? fault : undefined);
}

function openUpstream(target: string, request: IncomingMessage): ClientRequest {
  const { host, ...headers } = request.headers;
  return openRequest(target + (request.url ?? ''), {
    method: request.method ?? 'GET',
    headers: { ...headers, connection: 'close' },
    agent: false,
  });
}

/** The server's answer, undefined when it gave none. */
async function answerOf(upstream: ClientRequest): Promise<IncomingMessage | undefined> {
  try {
    const [answer] = await once(upstream, 'response');
    return answer;
  } catch {
    return undefined;
  } finally {
    upstream.on('error', () => {}); // an early answer may cut the upload short
  }
}

async function sendShare(
  request: IncomingMessage,
  upstream: ClientRequest,
  share: number,
): Promise<void> {
  const received = await buffer(request);
  const zipped = request.headers['content-encoding'] === 'gzip';
  const kept = keepShareOf(String(zipped ? gunzipSync(received) : received), share);
  upstream.removeHeader('content-encoding');
  upstream.removeHeader('transfer-encoding');
  upstream.setHeader('content-length', Buffer.byteLength(kept));
  upstream.end(kept);
}

/** Answers of one value that is this day's are taken for a clock's. */
async function shiftClock(
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

/** Passes the answer on, chunk by chunk, each when the one before has left. */
async function relay(
  answer: IncomingMessage,
  response: ServerResponse,
  record: ProxiedRequest,
  cut: { afterBytes: number; end: 'reset' | 'clean'; wholeLines?: boolean } | undefined,
): Promise<void> {
  response.writeHead(record.status, ownHeaders(answer.headers, cut?.end === 'clean'));
  const left = once(response, 'close').then(() => Promise.reject(new Error('the client has left')));
  left.catch(() => {});
  for await (const chunk of answer as AsyncIterable<Buffer>) {
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
