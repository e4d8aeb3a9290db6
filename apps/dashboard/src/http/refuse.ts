import type { Request, Response } from 'express';
import { errorPage } from '../page/error-page.ts';
import { personOf } from './person.ts';

/** Answers with a sentence, in the form that the asker reads: JSON for the APIs, a page for a browser, else text. */
export function refuse(
  request: Request,
  response: Response,
  status: number,
  sentence: string,
): void {
  response.status(status).set('cache-control', 'no-store');
  const path = request.originalUrl;
  if (/^\/api(?:[/?]|$)/.test(path) && !isForm(request)) response.json({ error: sentence });
  // Bull Board shows `message` in its error toasts.
  else if (path.startsWith('/queues/api/')) response.json({ error: sentence, message: sentence });
  else if (isForPeople(request)) response.type('html').send(errorPage(sentence, personOf(request)));
  else response.type('text/plain').send(`${sentence}\n`);
}

/** A page's form is answered with a page. */
const isForm = (request: Request): boolean => request.method === 'POST' && isForPeople(request);

/** A browser that opens a page, or a script that renews one. */
export const acceptsHtml = (request: Request): boolean =>
  /\btext\/html\b/.test(request.get('accept') ?? '');

const isForPeople = (request: Request): boolean =>
  !/^\/(?:parity|healthz|readyz|metrics)/.test(request.originalUrl) && acceptsHtml(request);
