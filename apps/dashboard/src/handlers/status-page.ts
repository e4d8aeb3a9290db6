import { createHash } from 'node:crypto';
import type { Context } from '../context.ts';
import type { Answer, Handler } from '../http/serve.ts';
import type { Overview } from '../overview.ts';
import { statusDocument } from '../page/status-document.ts';

/** Who opens the page is given what is true now; open pages that ask for news share one, and are told when there are none. */
export const statusPage = ({ overview }: Context): Handler => {
  const rendered = new WeakMap<Overview, Map<string, Answer>>();
  return async ({ asksForNews, person }) => {
    const seen = await (asksForNews ? overview.get() : overview.renew());
    const answers = rendered.get(seen) ?? new Map<string, Answer>();
    rendered.set(seen, answers);
    const whose = JSON.stringify(person);
    const known = answers.get(whose);
    if (known) return known;
    const body = statusDocument(seen, person);
    const answer = { status: 200, body, type: 'text/html', etag: etagOf(body) };
    answers.set(whose, answer);
    return answer;
  };
};

/** Ages grow by themselves: page.js goes on counting them, and a page that differs only in these is the same. */
const etagOf = (body: string): string => {
  const lasting = body.replaceAll(/(<time[^>]*>)[^<]*/g, '$1');
  return `"${createHash('sha256').update(lasting).digest('base64url').slice(0, 22)}"`;
};
