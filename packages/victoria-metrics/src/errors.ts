import { type ErrorKind, errorText, type Site, VmSyncError } from '@vm-sync/core';

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

/** Reads an unsuccessful HTTP answer: may the same be tried again, must it be asked in parts, or must a person act? */
export function judgeStatus(answer: Answer, where: Where): VmSyncError {
  const { kind, advice } = judgement(answer);
  const said = firstLine(answer);
  const text = `VM ${where.act} error: ${where.site} (${where.url}) answered ${answer.status}${said}; ${advice}`;
  return new VmSyncError(kind, text, { retryAfterMs: retryAfterMs(answer.retryAfter) });
}

function judgement({ status, body }: Answer): { kind: ErrorKind; advice: string } {
  const variables = 'check LOCAL_VM_… and REMOTE_VM_… USERNAME, PASSWORD and BEARER_TOKEN';
  if (status === 401 || status === 403)
    return { kind: 'final', advice: `login refused: ${variables}` };
  if (/auth token|authKey|unauthorized/i.test(body)) {
    return { kind: 'final', advice: `login refused: ${variables}` };
  }
  if (/missing route|unsupported path/i.test(body) || status === 404 || status === 405) {
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
    ((status === 422 || status === 400 || status === 503) && TOO_BIG.test(body))
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

function firstLine({ body, contentType }: Answer): string {
  if (contentType.includes('html') || /^\s*</.test(body)) return ' with a web page';
  let text = body;
  try {
    const parsed: unknown = JSON.parse(body);
    if (parsed && typeof parsed === 'object' && 'error' in parsed) text = String(parsed.error);
  } catch {
    // Exports and imports answer in plain text.
  }
  // 1.79 prefixes the request's own URI, which may carry a key.
  const line = text
    .replace(/remoteAddr: "[^"]*";?\s*(?:requestURI: \S+;?)?\s*/g, '')
    .replace(/authKey=[^&\s"]*/g, 'authKey=…')
    .trim()
    .split('\n', 1)[0];
  return line ? `: ${line.slice(0, 300)}` : '';
}

function retryAfterMs(header: string | string[] | undefined): number | undefined {
  const seconds = Number(Array.isArray(header) ? header[0] : header);
  return Number.isFinite(seconds) && seconds > 0 ? Math.min(seconds, 300) * 1e3 : undefined;
}

const TLS_CODES =
  /^(?:DEPTH_ZERO_SELF_SIGNED_CERT|SELF_SIGNED_CERT_IN_CHAIN|UNABLE_TO_(?:VERIFY_LEAF_SIGNATURE|GET_ISSUER_CERT(?:_LOCALLY)?)|CERT_\w+|ERR_TLS_\w+|HOSTNAME_MISMATCH)$/;

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
  ECONNRESET: 'broke the connection off',
  UND_ERR_SOCKET: 'broke the connection off',
  EPIPE: 'broke the connection off',
};

/** Reads a failure below HTTP: refused, reset, timed out, certificate not trusted. */
export function judgeTransport(error: unknown, where: Where): VmSyncError {
  if (error instanceof VmSyncError) return error;
  const codes = codesOf(error);
  const prefix = `VM ${where.act} error: ${where.site} (${where.url})`;
  if ((error as Error)?.name === 'AbortError' || codes.includes('UND_ERR_ABORTED')) {
    return new VmSyncError('retryable', `${prefix}: stopped before it was done`, { cause: error });
  }
  if (codes.some((code) => TLS_CODES.test(code))) {
    return new VmSyncError(
      'final',
      `${prefix} shows a certificate that does not verify (${codes.find((code) => TLS_CODES.test(code))}): set …_VM_CA_FILE to the authority's certificate, and use the name in the certificate`,
      { cause: error },
    );
  }
  const known = codes.find((code) => code in PLAIN);
  const what = known ? PLAIN[known] : `failed: ${errorText(error)}`;
  return new VmSyncError('retryable', `${prefix} ${what}`, { cause: error });
}

function codesOf(error: unknown): string[] {
  const codes: string[] = [];
  for (let at = error; at instanceof Error && codes.length < 8; at = at.cause) {
    if ('code' in at && typeof at.code === 'string') codes.push(at.code);
    if (at instanceof AggregateError) codes.push(...at.errors.flatMap(codesOf));
  }
  return codes;
}
