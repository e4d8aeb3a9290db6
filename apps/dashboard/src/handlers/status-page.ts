import { createHash } from 'node:crypto';
import type { Context } from '../context.ts';
import type { Answer, Handler } from '../http/serve.ts';
import type { Overview } from '../overview.ts';
import { statusDocument } from '../page/status-document.ts';

/** One page for all who ask within a second; a browser that has it already is only told so. */
export const statusPage = ({ overview }: Context): Handler => {
  const rendered = new WeakMap<Overview, Answer>();
  return async () => {
    const seen = await overview.get();
    const known = rendered.get(seen);
    if (known) return known;
    const body = statusDocument(seen);
    const answer = { status: 200, body, type: 'text/html', etag: etagOf(body) };
    rendered.set(seen, answer);
    return answer;
  };
};

/** Ages grow by themselves: page.js goes on counting them, and a page that differs only in these is the same. */
const etagOf = (body: string): string => {
  const lasting = body.replaceAll(/(<time[^>]*>)[^<]*/g, '$1');
  return `"${createHash('sha256').update(lasting).digest('base64url').slice(0, 22)}"`;
};
