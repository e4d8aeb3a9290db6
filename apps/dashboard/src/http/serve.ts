import express, { type Request, type RequestHandler } from 'express';
import { type Person, personOf } from './person.ts';
import { acceptsHtml } from './refuse.ts';

/** What a handler is given of a request. */
export interface PlainRequest {
  readonly params: Readonly<Record<string, string>>;
  /** The query's values, as text; to be parsed by the handler. */
  readonly query: URLSearchParams;
  readonly person: Person;
  /** True where somebody has a version already and asks whether there is a newer one. */
  readonly asksForNews: boolean;
  /** True when a browser asks for a page: a form is answered with one, a program with JSON. */
  readonly forPeople: boolean;
  /** What a write carries as JSON or as a form; undefined without any. To be parsed by the handler. */
  readonly body: unknown;
}

/** What it gives back: an object is sent as JSON, text as the named type. */
export interface Answer {
  readonly status: number;
  readonly body: string | object;
  /** Of a text; plain when absent. */
  readonly type?: string;
  /** With it, whoever has this version already is answered with 304. */
  readonly etag?: string;
  /** Where to look for what came of it, of a redirection. */
  readonly location?: string;
}

export type Handler = (request: PlainRequest) => Answer | Promise<Answer>;

export interface Route {
  readonly method: 'get' | 'post';
  readonly path: string;
  /** Answered with 503 while Redis is away. */
  readonly needsRedis: boolean;
  readonly handle: Handler;
}

/** The only place where handlers meet Express. Nothing here may be kept by a cache: it is true for seconds. */
export const serve =
  (handle: Handler): RequestHandler =>
  async (request, response) => {
    const { status, body, type, etag, location } = await handle({
      params: paramsOf(request),
      query: new URL(request.originalUrl, 'http://localhost').searchParams,
      person: personOf(request),
      asksForNews: request.get('if-none-match') !== undefined,
      forPeople: acceptsHtml(request),
      body: request.body,
    });
    response.status(status).set('cache-control', 'no-store');
    if (etag !== undefined) response.set('etag', etag);
    if (location !== undefined) response.location(location);
    if (typeof body === 'string') response.type(type ?? 'text/plain').send(body);
    else response.json(body);
  };

/** Larger than any wish, and small enough to be nobody's burden. */
const BODY_MOST = '64kb';

/** Reads JSON and forms. */
export const bodyParsers = (): RequestHandler[] => [
  express.json({ limit: BODY_MOST }),
  express.urlencoded({ extended: false, limit: BODY_MOST }),
];

const paramsOf = (request: Request): Record<string, string> =>
  Object.fromEntries(Object.entries(request.params).map(([name, value]) => [name, String(value)]));
