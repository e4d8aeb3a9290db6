import { type ErrorKind, errorText, onOneLine, type Site, VmSyncError } from '@vm-sync/core';

interface Where {
  readonly act: string;
  readonly site: Site;
  readonly url: string;
}

interface Answer {
  readonly status: number;
  readonly body: string;
  readonly contentType: string;
  readonly retryAfter: string | string[] | undefined;
}

/** Limits whose errors go away when less is asked for at once; the words are those of 1.79 to 1.145 (measured). */
const TOO_BIG =
  /maxUniqueTimeseries|maxSamplesPer|maxExportSeries|maxExportDuration|maxQueryDuration|maxSeries|maxPoints|maxQueryLen|matching timeseries exceeds|cannot select more than|too many points|too long query|timeout exceeded|deadline|maxMemoryPerQuery|not enough memory/i;

/** 1.79 names the limits above also where it is merely busy, as ways of giving requests more patience. */
const TOO_MANY = /concurrent .*requests/i;

/** Reads an unsuccessful HTTP answer: may the same be tried again, must it be asked in parts, or must a person act? */
export function judgeStatus(answer: Answer, where: Where): VmSyncError {
  const { kind, advice } = judgement(answer);
  const said = firstLine(answer);
  const text = `VM ${where.act} error: ${where.site} (${where.url}) answered ${answer.status}${said}; ${advice}`;
  return new VmSyncError(kind, text, {
    retryAfterMs: retryAfterMs(answer.retryAfter),
    site: where.site,
  });
}

function judgement(answer: Answer): { kind: ErrorKind; advice: string } {
  const { status } = answer;
  const body = ownWords(answer);
  const variables = 'check LOCAL_VM_… and REMOTE_VM_… USERNAME, PASSWORD and BEARER_TOKEN';
  if (status === 401 || status === 403)
    return { kind: 'final', advice: `login refused: ${variables}` };
  if (/auth token|authKey|unauthorized/i.test(body)) {
    return { kind: 'final', advice: `login refused: ${variables}` };
  }
  if (
    /missing route|unsupported path|missing -http\.pathPrefix/i.test(body) ||
    status === 404 ||
    status === 405
  ) {
    return {
      kind: 'final',
      advice:
        'this path is not served there: check the URL, its path prefix, and the routes of the proxy before it',
    };
  }
  if (/read-only mode/i.test(body)) {
    return {
      kind: 'busy',
      advice: 'its disk is full (-storage.minFreeDiskSpaceBytes): free disk space there',
    };
  }
  if (
    status === 413 ||
    ((status === 422 || status === 400 || status === 503) &&
      TOO_BIG.test(body) &&
      !TOO_MANY.test(body))
  ) {
    return {
      kind: 'too-big',
      advice: 'asked again in smaller parts, or raise the limit that it names',
    };
  }
  if (status === 429 || status === 503)
    return { kind: 'busy', advice: 'it is busy: tried again later' };
  if (status >= 500 || status === 408) return { kind: 'retryable', advice: 'tried again later' };
  return { kind: 'final', advice: 'the request was refused: trying again will not help' };
}

const QUOTED = /"(?:[^"\\]|\\[\s\S])*"/y;

/** What stands in quotes, exchanged. A quote without its end ends it: to look behind each of many would take minutes. */
function replaceQuoted(text: string, by: (quoted: string) => string): string {
  let done = '';
  let from = 0;
  for (let at = text.indexOf('"'); at >= 0; at = text.indexOf('"', from)) {
    QUOTED.lastIndex = at;
    const quoted = QUOTED.exec(text)?.[0];
    if (quoted === undefined) break;
    done += text.slice(from, at) + by(quoted);
    from = at + quoted.length;
  }
  return done + text.slice(from);
}

const BRACED = /\{[^{}]*\}/g;

/** What the server says, without what it repeats of our own request: metrics may be named `unauthorized_total`. */
const ownWords = (answer: Answer): string =>
  replaceQuoted(errorOf(answer), () => '""').replaceAll(BRACED, '{}');

/** Long repetitions shortened: what is wrong stands behind them. */
const shortened = (text: string): string =>
  replaceQuoted(text, (quoted) =>
    quoted.length > 80 ? `${quoted.slice(0, 60)}…"` : quoted,
  ).replaceAll(BRACED, (braced) => (braced.length > 80 ? `${braced.slice(0, 60)}…}` : braced));

function firstLine(answer: Answer): string {
  const { body, contentType } = answer;
  if (contentType.includes('html') || /^\s*</.test(body)) return ' with a web page';
  const line = onOneLine(shortened(errorOf(answer)).trim().split('\n', 1)[0] ?? '');
  return line ? `: ${bothEnds(line)}` : '';
}

/** A server repeats the query first, and says last what is wrong with it. */
const bothEnds = (line: string): string =>
  line.length <= 500 ? line : `${line.slice(0, 150)} … ${line.slice(-345)}`;

function errorOf({ body }: Answer): string {
  let text = body;
  try {
    const parsed: unknown = JSON.parse(body);
    if (parsed && typeof parsed === 'object' && 'error' in parsed) text = String(parsed.error);
  } catch {
    // Exports and imports answer in plain text.
  }
  return withoutKeys(text);
}

/** 1.79 prefixes the request's own URI, which may carry a key. */
export const withoutKeys = (text: string): string =>
  text
    .replace(/remoteAddr: "[^"]*";?\s*(?:requestURI: \S+;?)?\s*/g, '')
    .replace(/authKey=[^&\s"]*/g, 'authKey=…');

function retryAfterMs(header: string | string[] | undefined): number | undefined {
  const seconds = Number(Array.isArray(header) ? header[0] : header);
  return Number.isFinite(seconds) && seconds > 0 ? Math.min(seconds, 300) * 1e3 : undefined;
}

const TLS_CODES =
  /^(?:DEPTH_ZERO_SELF_SIGNED_CERT|SELF_SIGNED_CERT_IN_CHAIN|UNABLE_TO_(?:VERIFY_LEAF_SIGNATURE|GET_ISSUER_CERT(?:_LOCALLY)?)|CERT_\w+|ERR_TLS_\w+|HOSTNAME_MISMATCH)$/;

const TLS_FAULTS: readonly (readonly [RegExp, string])[] = [
  [
    /^ERR_SSL_.*(?:CERTIFICATE_REQUIRED|HANDSHAKE_FAILURE|BAD_CERTIFICATE|CERTIFICATE_UNKNOWN|UNKNOWN_CA)$/,
    'refuses us without a client certificate that it knows: set …_VM_CERT_FILE and …_VM_KEY_FILE',
  ],
  [
    /^ERR_SSL_(?:WRONG_VERSION_NUMBER|PACKET_LENGTH_TOO_LONG|HTTP_REQUEST)$/,
    'speaks no TLS at this port: use http:// in the URL, or the port for TLS',
  ],
];

const BROKEN = 'broke the connection off';
/** With TLS 1.3 a server that misses our certificate ends the connection without a word that reaches us (measured). */
const BROKEN_TLS = `${BROKEN}; if it demands a client certificate, set …_VM_CERT_FILE and …_VM_KEY_FILE`;

const PLAIN: Record<string, string> = {
  ECONNREFUSED:
    'refuses connections: is VictoriaMetrics running there, and does the firewall allow its port?',
  ENOTFOUND: 'has a host name that does not resolve: check the URL',
  EAI_AGAIN: 'has a host name that cannot be resolved at the moment',
  EHOSTUNREACH: 'cannot be reached: check the network between the sites',
  ENETUNREACH: 'cannot be reached: check the network between the sites',
  ETIMEDOUT: 'does not answer: check the network between the sites',
  UND_ERR_CONNECT_TIMEOUT: 'does not answer: check the network between the sites and its firewall',
  UND_ERR_HEADERS_TIMEOUT: 'did not answer in time',
  UND_ERR_BODY_TIMEOUT: 'fell silent in the middle of its answer',
  ECONNRESET: BROKEN,
  UND_ERR_SOCKET: BROKEN,
  EPIPE: BROKEN,
};

/** The server was there, and too slow. */
const TIMEOUTS: readonly string[] = ['UND_ERR_HEADERS_TIMEOUT', 'UND_ERR_BODY_TIMEOUT'];

/** Reads a failure below HTTP: refused, reset, timed out, certificate not trusted. */
export function judgeTransport(error: unknown, where: Where): VmSyncError {
  if (error instanceof VmSyncError) return error;
  const codes = codesOf(error);
  const prefix = `VM ${where.act} error: ${where.site} (${where.url})`;
  if ((error as Error)?.name === 'AbortError' || codes.includes('UND_ERR_ABORTED')) {
    return new VmSyncError('retryable', `${prefix}: stopped before it was done`, {
      cause: error,
      site: where.site,
    });
  }
  if (codes.some((code) => TLS_CODES.test(code))) {
    return new VmSyncError(
      'final',
      `${prefix} shows a certificate that does not verify (${codes.find((code) => TLS_CODES.test(code))}): set …_VM_CA_FILE to the authority's certificate, and use the name in the certificate`,
      { cause: error, site: where.site },
    );
  }
  const wrong = codes
    .map((code) => TLS_FAULTS.find(([pattern]) => pattern.test(code)))
    .find(Boolean);
  if (wrong) {
    return new VmSyncError('final', `${prefix} ${wrong[1]}`, { cause: error, site: where.site });
  }
  const known = codes.find((code) => code in PLAIN);
  const plain = known ? PLAIN[known] : `failed: ${errorText(error)}`;
  const what = plain === BROKEN && where.url.startsWith('https:') ? BROKEN_TLS : plain;
  const timedOut = known !== undefined && TIMEOUTS.includes(known);
  return new VmSyncError('retryable', `${prefix} ${what}`, {
    cause: error,
    timedOut,
    site: where.site,
  });
}

function codesOf(error: unknown): string[] {
  const codes: string[] = [];
  for (let at = error; at instanceof Error && codes.length < 8; at = at.cause) {
    if ('code' in at && typeof at.code === 'string') codes.push(at.code);
    if (at instanceof AggregateError) codes.push(...at.errors.flatMap(codesOf));
  }
  return codes;
}
