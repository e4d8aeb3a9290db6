import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { buffer } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { relay, shiftClock } from './fault-answers.ts';
import { openUpstream, upload } from './fault-uploads.ts';
import {
  type Fault,
  type FaultMatch,
  type FaultRules,
  faultRules,
  fits,
  isOwn,
  type ProxiedRequest,
} from './faults.ts';
import { close, listen } from './loopback.ts';

export type FaultProxy = {
  readonly url: string;
  /** Every request, in order of arrival, but for those of vm-sync's own series. */
  readonly requests: ProxiedRequest[];
  /** Those of vm-sync's own series. */
  readonly ownRequests: ProxiedRequest[];
  /**
   * The faults from now on; null for none. Delays add up, of the others the first that fits acts. What an earlier fault
   * slows goes on at full speed, unless the very same object is given again.
   */
  setFault(fault: Fault | readonly Fault[] | null): void;
  /** Runs `act` once, when the next request that fits arrives; the request is passed on only after it. Resolves when it has happened. */
  meet(match: FaultMatch, act?: () => void | Promise<void>): Promise<void>;
  stop(): Promise<void>;
};

type Meeting = { match: FaultMatch; happen: () => Promise<void> };

/** An HTTP proxy in front of `target` (a base URL) that can go wrong in chosen ways. Bodies are streamed. */
export async function startFaultProxy({ target }: { target: string }): Promise<FaultProxy> {
  const requests: ProxiedRequest[] = [];
  const ownRequests: ProxiedRequest[] = [];
  const meetings = new Set<Meeting>();
  let rules: FaultRules = faultRules([]);
  /** The faults in force, each with what tells that it is over. */
  let lifts = new Map<Fault, AbortController>();
  const server = createServer(async (request, response) => {
    const { method = '', url = '' } = request;
    const record = { method, path: url, status: 0, sent: 0, bytes: 0 };
    (isOwn(url) ? ownRequests : requests).push(record);
    try {
      for (const meeting of [...meetings]) {
        if (!fits(meeting.match, request)) continue;
        meetings.delete(meeting);
        await meeting.happen();
      }
      const faults = rules(request);
      const lifted = (fault: Fault): AbortSignal => lifts.get(fault)?.signal ?? AbortSignal.abort();
      await serve({ target, request, response, record, lifted, faults });
    } catch {
      response.destroy(); // what broke behind the proxy breaks before it too
    }
  });
  const url = await listen(server);
  return {
    url,
    requests,
    ownRequests,
    setFault(fault) {
      const faults = fault === null ? [] : [fault].flat();
      const before = lifts;
      lifts = new Map(faults.map((each) => [each, before.get(each) ?? new AbortController()]));
      for (const [each, lift] of before) if (!lifts.has(each)) lift.abort();
      rules = faultRules(faults);
    },
    meet: (match, act) =>
      new Promise((resolve, reject) => {
        const happen = async (): Promise<void> => {
          await act?.();
        };
        meetings.add({ match, happen: () => happen().then(resolve, reject) });
      }),
    stop: () => close(server),
  };
}

/** One request on its way. */
type Passage = {
  target: string;
  request: IncomingMessage;
  response: ServerResponse;
  record: ProxiedRequest;
  lifted: (fault: Fault) => AbortSignal;
  faults: readonly Fault[];
};

async function serve(passage: Passage): Promise<void> {
  const { target, request, response, record, faults } = passage;
  for (const fault of faults) if (fault.kind === 'delay') await sleep(fault.ms);
  const fault = faults.find(({ kind }) => kind !== 'delay');
  if (fault?.kind === 'reset') {
    response.socket?.resetAndDestroy();
    return;
  }
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
  const lifted = fault ? passage.lifted(fault) : AbortSignal.abort();
  const upstream = openUpstream(target, request);
  // Compressed, nobody could read what is to be changed.
  const plain = fault?.kind === 'shift-clock' || (fault?.kind === 'corrupt' && fault.plain);
  if (plain) upstream.removeHeader('accept-encoding');
  if (fault?.kind === 'cut-request' && fault.end === 'clean') {
    upstream.removeHeader('content-length');
  }
  response.once('close', () => upstream.destroy());
  const answered = answerOf(once(upstream, 'response'));
  upstream.on('error', () => {}); // an early answer may cut the upload short
  void upload({ request, upstream, record, fault, lifted }); // what breaks there shows in the answer
  const answer = await answered;
  if (fault?.kind === 'lost-answer') {
    if (answer) await buffer(answer);
    if (fault.end === 'reset') response.socket?.resetAndDestroy();
    return;
  }
  if (answer === undefined && fault?.kind === 'cut-request') {
    response.socket?.resetAndDestroy();
    return;
  }
  if (answer === undefined) {
    request.resume();
    record.status = 502;
    response.writeHead(502).end('the server behind the proxy does not answer\n');
    return;
  }
  record.status = answer.statusCode ?? 0;
  if (fault?.kind === 'shift-clock') return shiftClock(answer, response, record, fault.ms);
  await relay({ answer, response, record, fault, lifted });
}

/** The server's answer, undefined when it gave none. */
async function answerOf(response: Promise<unknown[]>): Promise<IncomingMessage | undefined> {
  try {
    return (await response)[0] as IncomingMessage;
  } catch {
    return undefined;
  }
}
