import type { IncomingMessage } from 'node:http';

/** Requests for the series in which vm-sync writes about itself: markers and heartbeats. */
export const isOwn = (url: string): boolean => /[?&]own=vmsync(?:&|$)/.test(url);

/** Which requests a fault hits: all, or those that fit every given point. A path is one of data: own series are not hit by it. */
export type FaultMatch = {
  /** The end of the path (without the query), or a pattern for the path. */
  path?: string | RegExp;
  method?: string;
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
    /** Takes the request and never answers. */
    | { kind: 'black-hole' }
  );

/** Picks the faults for a request and counts them against `first`. */
export type FaultRules = (request: IncomingMessage) => Fault[];

export function faultRules(faults: readonly Fault[]): FaultRules {
  const rules = faults.map((fault) => ({ fault, left: fault.first ?? Number.POSITIVE_INFINITY }));
  return (request) =>
    rules.flatMap((rule) => {
      if (rule.left <= 0 || !isMet(rule.fault, request)) return [];
      rule.left -= 1;
      return [rule.fault];
    });
}

export function isMet({ path, method }: FaultMatch, request: IncomingMessage): boolean {
  const pathname = (request.url ?? '').split('?', 1)[0] ?? '';
  if (method !== undefined && method !== request.method) return false;
  if (path === undefined) return true;
  if (isOwn(request.url ?? '')) return false;
  return typeof path === 'string' ? pathname.endsWith(path) : path.test(pathname);
}

/** An even selection: of 10 lines and a share of 0.3, the 4th, 7th and 10th. */
export function keepShareOf(body: string, share: number): string {
  const lines = body.split('\n').filter((line) => line !== '');
  const kept = lines.filter((_, at) => Math.floor((at + 1) * share) > Math.floor(at * share));
  return kept.map((line) => `${line}\n`).join('');
}
