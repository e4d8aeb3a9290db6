import { Readable } from 'node:stream';
import { errorText, type Site, VmSyncError } from '@vm-sync/core';
import { Agent, type Dispatcher, request } from 'undici';
import { judgeStatus, judgeTransport } from './errors.ts';

/** How to reach one site's VictoriaMetrics. */
export interface EndpointOptions {
  readonly site: Site;
  /** Base URL; a path prefix is kept, a login in it is used and never shown. */
  readonly url: string;
  /** Where to query and export, and where to import, when these differ (cluster version); each with a login of its own or that of `url`. */
  readonly readUrl?: string | undefined;
  readonly writeUrl?: string | undefined;
  readonly username?: string | undefined;
  readonly password?: string | undefined;
  readonly bearerToken?: string | undefined;
  /** PEM texts. */
  readonly ca?: string | undefined;
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
  /** Longest silence of the server that is borne, whatever is asked; by default as long as fits the question. */
  readonly silenceMs?: number | undefined;
}

export interface Call {
  /** What is done, for error messages: `export`, `import`, `query`. */
  readonly act: string;
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly base?: 'read' | 'write';
  readonly form?: URLSearchParams;
  readonly body?: AsyncIterable<Uint8Array> | Uint8Array;
  readonly signal?: AbortSignal | undefined;
  /** Longest silence of the server, before and within its answer. */
  readonly silenceMs?: number;
}

/** A server that says nothing for this long is treated as unreachable; queries carry a shorter `timeout=` of their own. */
const SILENCE_MS = 60_000;

/**
 * VictoriaMetrics repeats the query (16 KiB by default) up to three times, with every quote escaped, before it says what
 * is wrong; what is longer is some proxy's page.
 */
const ERROR_BODY_BYTES = 262_144;

/** Far more than any answer that is read as a whole. */
const TEXT_BYTES_MOST = 32 * 1024 * 1024;

/**
 * One site's VictoriaMetrics as an HTTP endpoint: login, certificates, path prefixes, and errors that say what to do.
 * Every failure is thrown as a `VmSyncError`; no message carries a login.
 */
export class Endpoint {
  readonly site: Site;
  /** The base URL without login and query, safe to show. */
  readonly url: string;
  readonly #bases: Record<'read' | 'write', Base>;
  readonly #agent: Agent;
  readonly #silenceMs: number;

  constructor(options: EndpointOptions) {
    const url = new URL(options.url);
    this.site = options.site;
    this.url = shown(url);
    this.#silenceMs = options.silenceMs ?? Number.POSITIVE_INFINITY;
    const base = (own: URL): Base => ({
      url: shown(own),
      authorization: authorization(options, own) ?? authorization(options, url),
    });
    this.#bases = {
      read: base(new URL(options.readUrl ?? options.url)),
      write: base(new URL(options.writeUrl ?? options.url)),
    };
    this.#agent = new Agent({
      connections: 8,
      allowH2: false,
      // The server closes idle connections after a minute; closing them first avoids resets on reuse.
      keepAliveTimeout: 20_000,
      keepAliveMaxTimeout: 50_000,
      connect: {
        timeout: 10_000,
        ...(options.ca === undefined ? {} : { ca: options.ca }),
        ...(options.cert === undefined ? {} : { cert: options.cert }),
        ...(options.key === undefined ? {} : { key: options.key }),
      },
    });
  }

  /** Sends a request and answers with the response of a successful one; its body must be consumed. */
  async call(call: Call): Promise<Dispatcher.ResponseData> {
    const { url, authorization } = this.#bases[call.base ?? 'read'];
    const where = { act: call.act, site: this.site, url };
    const silenceMs = Math.min(call.silenceMs ?? SILENCE_MS, this.#silenceMs);
    let response: Dispatcher.ResponseData;
    try {
      response = await request(`${url}${call.path}`, {
        method: call.method,
        dispatcher: this.#agent,
        headers: {
          'user-agent': 'vm-sync',
          ...(authorization === undefined ? {} : { authorization }),
          ...(call.form ? { 'content-type': 'application/x-www-form-urlencoded' } : {}),
        },
        body: call.form?.toString() ?? bodyOf(call.body),
        headersTimeout: silenceMs,
        bodyTimeout: silenceMs,
        ...(call.signal ? { signal: call.signal } : {}),
      });
    } catch (error) {
      throw judgeTransport(error, where);
    }
    const { statusCode: status } = response;
    if (status === 200 || (call.base === 'write' && status >= 200 && status < 300)) return response;
    const body = await this.#errorBody(response);
    // Read as it stands it would say that there are no samples.
    if (status < 300) throw this.strange(call.act, `${status} instead of 200`, call.base);
    throw judgeStatus(
      {
        status: response.statusCode,
        body,
        contentType: String(response.headers['content-type'] ?? ''),
        retryAfter: response.headers['retry-after'],
      },
      where,
    );
  }

  /** A whole answer as text; for small answers only. */
  async text(call: Call): Promise<string> {
    const response = await this.call(call);
    try {
      const bytes = await readMost(response.body, TEXT_BYTES_MOST);
      if (bytes.length > TEXT_BYTES_MOST) throw this.strange(call.act, 'without end', call.base);
      return bytes.toString('utf8');
    } catch (error) {
      throw this.broken(call.act, error, call.base);
    }
  }

  /** The error of an answer that broke off or cannot be read. */
  broken(act: string, error: unknown, base: 'read' | 'write' = 'read'): VmSyncError {
    return judgeTransport(error, { act, site: this.site, url: this.#bases[base].url });
  }

  /** The error of an answer that is complete, but not what a VictoriaMetrics answers. */
  strange(act: string, what: string, base: 'read' | 'write' = 'read'): VmSyncError {
    return new VmSyncError(
      'retryable',
      `VM ${act} error: ${this.site} (${this.#bases[base].url}) answered ${what}; check that the URL leads to a VictoriaMetrics`,
      { site: this.site },
    );
  }

  async close(): Promise<void> {
    await this.#agent.destroy();
  }

  async #errorBody(response: Dispatcher.ResponseData): Promise<string> {
    try {
      const bytes = await readMost(response.body, ERROR_BODY_BYTES);
      return bytes.toString('utf8').slice(0, ERROR_BODY_BYTES);
    } catch (error) {
      return errorText(error);
    }
  }
}

/** A part of a byte takes a hundred bytes of memory: so many are made one. */
const PARTS_MOST = 1024;

/** A whole body, or its beginning where there is more than that. */
async function readMost(body: AsyncIterable<Buffer>, most: number): Promise<Buffer> {
  const whole: Buffer[] = [];
  const parts: Buffer[] = [];
  let bytes = 0;
  for await (const part of body) {
    bytes += part.length;
    if (parts.push(part) === PARTS_MOST) whole.push(Buffer.concat(parts.splice(0)));
    if (bytes > most) break;
  }
  return Buffer.concat([...whole, ...parts]);
}

/** An address and the login to be used there. */
interface Base {
  readonly url: string;
  readonly authorization: string | undefined;
}

/** Streams go out as they are read, with backpressure; `objectMode` would count parts instead of bytes. */
function bodyOf(body: Call['body']): Uint8Array | Readable | null {
  if (body === undefined || body instanceof Uint8Array) return body ?? null;
  return Readable.from(body, { objectMode: false });
}

/** Without login and query, safe to show. */
export const shown = (url: URL): string => `${url.origin}${url.pathname}`.replace(/\/+$/, '');

function authorization(options: EndpointOptions, url: URL): string | undefined {
  if (options.bearerToken !== undefined) return `Bearer ${options.bearerToken}`;
  const username = options.username ?? decodeURIComponent(url.username);
  const password = options.password ?? decodeURIComponent(url.password);
  if (username === '' && password === '') return undefined;
  return `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
}
