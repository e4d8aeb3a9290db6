import type { IncomingMessage } from 'node:http';

/** Requests for the series in which vm-sync writes about itself: markers and heartbeats. */
export const isOwn = (url: string): boolean => /[?&]own=vmsync(?:&|$)/.test(url);

/** Which requests a fault hits: all, or those that fit every given point. A path is one of data: own series are not hit by it. */
export type FaultMatch = {
  /** The end of the path (without the query), or a pattern for the path. */
  path?: string | RegExp;
  method?: string;
  /** Only requests for vm-sync's own series. */
  own?: true;
  /** Only so many requests that fit, then no more. */
  first?: number;
};

export type Fault = FaultMatch &
  (
    | { kind: 'delay'; ms: number }
    /** Answers this instead of asking the server. */
    | { kind: 'answer'; status: number; headers?: Record<string, string>; body?: string }
    /** Ends the answer after so many bytes (or at the last end of a line before): torn off, or as if it were complete. */
    | { kind: 'cut'; afterBytes: number; end: 'reset' | 'clean'; wholeLines?: boolean }
    /** Forwards only this share (0 to 1) of a body's lines; the server's answer is passed on. */
    | { kind: 'drop-rows'; keepShare: number }
    /** What the server says of its clock (`now()`) is shifted, as if it were that much ahead. */
    | { kind: 'shift-clock'; ms: number }
    /** The connection is reset when the request comes; the server does not see it. */
    | { kind: 'reset' }
    /** Takes the request and never answers. */
    | { kind: 'black-hole' }
    /** The server gets the request whole and acts upon it; of its answer nothing is passed back. */
    | { kind: 'lost-answer'; end: 'reset' | 'silence' }
    /** The answer's body trickles at this rate, until the fault is lifted. */
    | { kind: 'drip'; bytesPerS: number }
    /** The upload passes at this rate, until the fault is lifted. */
    | { kind: 'slow-request'; bytesPerS: number }
    /** The upload ends after so many bytes: torn off, and the client with it, or (`clean`) as if it were complete. */
    | { kind: 'cut-request'; afterBytes: number; end?: 'clean' }
    | ({ kind: 'corrupt' | 'corrupt-request' } & Corruption)
  );

/** Of a body (the answer's, or the request's) one byte in so many is changed, its length kept. */
export type Corruption = {
  everyBytes: number;
  /** Only digits, into other digits: what is no damage to the eye. */
  digits?: boolean;
  /** The body goes uncompressed, so that no checksum of the compression notices. */
  plain?: boolean;
};

export type ProxiedRequest = {
  method: string;
  /** With the query. */
  path: string;
  /** What was answered; 0 while, or because, nothing was. */
  status: number;
  /** Bytes of the request's body that were passed on. */
  sent: number;
  /** Bytes of the answer's body that were passed on. */
  bytes: number;
};

/** Picks the faults for a request and counts them against `first`. */
export type FaultRules = (request: IncomingMessage) => Fault[];

export function faultRules(faults: readonly Fault[]): FaultRules {
  const rules = faults.map((fault) => ({ fault, left: fault.first ?? Number.POSITIVE_INFINITY }));
  return (request) =>
    rules.flatMap((rule) => {
      if (rule.left <= 0 || !fits(rule.fault, request)) return [];
      rule.left -= 1;
      return [rule.fault];
    });
}

/** Whether a request is one that is meant. */
export function fits({ path, method, own }: FaultMatch, request: IncomingMessage): boolean {
  const pathname = (request.url ?? '').split('?', 1)[0] ?? '';
  const isOfOwn = isOwn(request.url ?? '');
  if (own && !isOfOwn) return false;
  if (method !== undefined && method !== request.method) return false;
  if (path === undefined) return true;
  if (isOfOwn && !own) return false;
  return typeof path === 'string' ? pathname.endsWith(path) : path.test(pathname);
}
