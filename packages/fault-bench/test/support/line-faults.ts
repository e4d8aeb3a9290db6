import type { LineFault } from '@vm-sync/fault-bench';
import { type Fault, type FaultMatch, type FaultProxy, until } from '@vm-sync/testkit';

/** Answers of a few series are some hundred bytes long: these numbers lie within them. */
const bytes = { cut: 120, damaged: 40, perS: 400 };

type Make = (match: FaultMatch) => Fault;

const said =
  (status: number, body: string, headers = {}): Make =>
  (match) => ({ ...match, kind: 'answer', status, body, headers });

/** Each fault of an answer, and of an upload where that is something else. */
const kinds: Readonly<Record<LineFault, { answer: Make; upload?: Make }>> = {
  latency: { answer: (match) => ({ ...match, kind: 'delay', ms: 150 }) },
  'connection reset at once': { answer: (match) => ({ ...match, kind: 'reset' }) },
  'black hole': { answer: (match) => ({ ...match, kind: 'black-hole' }) },
  'answer lost with a reset, the server has acted': {
    answer: (match) => ({ ...match, kind: 'lost-answer', end: 'reset' }),
  },
  'half-open: answer never comes, the server has acted': {
    answer: (match) => ({ ...match, kind: 'lost-answer', end: 'silence' }),
  },
  'slow drip': {
    answer: (match) => ({ ...match, kind: 'drip', bytesPerS: bytes.perS }),
    upload: (match) => ({ ...match, kind: 'slow-request', bytesPerS: bytes.perS }),
  },
  'cut off in the middle with a reset': {
    answer: (match) => ({ ...match, kind: 'cut', afterBytes: bytes.cut, end: 'reset' }),
    upload: (match) => ({ ...match, kind: 'cut-request', afterBytes: 2.5 * bytes.cut }),
  },
  'cut off in the middle as if complete': {
    answer: (match) => ({ ...match, kind: 'cut', afterBytes: bytes.cut, end: 'clean' }),
    upload: (match) => ({
      ...match,
      kind: 'cut-request',
      afterBytes: 2.5 * bytes.cut,
      end: 'clean',
    }),
  },
  'truncated at the end of a line as if complete': {
    answer: (match) => ({
      ...match,
      kind: 'cut',
      afterBytes: 4 * bytes.cut,
      end: 'clean',
      wholeLines: true,
    }),
    upload: (match) => ({ ...match, kind: 'drop-rows', keepShare: 0.6 }),
  },
  'corrupted body': {
    answer: (match) => ({ ...match, kind: 'corrupt', everyBytes: bytes.damaged }),
    upload: (match) => ({ ...match, kind: 'corrupt-request', everyBytes: bytes.damaged }),
  },
  '429': {
    answer: said(429, "couldn't start executing the request in 10s", { 'retry-after': '1' }),
  },
  '500': { answer: said(500, 'something broke') },
  '503': { answer: said(503, 'cannot handle more than 1 concurrent search requests') },
  'rows of an import dropped': {
    answer: (match) => ({ ...match, kind: 'drop-rows', keepShare: 0.5 }),
  },
};

/** The fault, for requests that fit. */
export const lineFault = (fault: LineFault, match: FaultMatch, of: 'answer' | 'upload'): Fault =>
  (kinds[fault][of] ?? kinds[fault].answer)(match);

/** What only takes its time: the step succeeds, once the fault is lifted where it would take too long. */
export const isSlowness = (fault: LineFault): boolean =>
  fault === 'latency' || fault === 'slow drip';

/**
 * Sets the fault, and answers with whether a request has met it. What trickles goes on at full speed when its first bytes
 * have passed: nobody waits for the end of a drip.
 */
export function strike(
  proxy: FaultProxy,
  fault: LineFault,
  match: FaultMatch,
  of: 'answer' | 'upload',
): () => boolean {
  proxy.setFault(lineFault(fault, match, of));
  let met = false;
  void proxy.meet(match, () => {
    met = true;
    if (fault !== 'slow drip') return;
    const record = (match.own ? proxy.ownRequests : proxy.requests).at(-1);
    const passed = () => (of === 'answer' ? record?.bytes : record?.sent) ?? 0;
    void until('the first bytes', () => passed() > 0, { everyMs: 5 }).then(() =>
      proxy.setFault(null),
    );
  });
  return () => met;
}
