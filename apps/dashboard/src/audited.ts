import type { AuditLine } from '@vm-sync/queue';
import type { Context } from './context.ts';
import type { Answer, Handler, PlainRequest } from './http/serve.ts';
import { refusedDocument } from './page/refused-document.ts';

/** A write of the API, by its name in the audit log. */
export interface Write {
  readonly action: string;
  readonly handle: Handler;
  /** The page that shows what came of it. */
  readonly shownAt: (params: PlainRequest['params']) => string;
}

/** What it needs of the context. */
export interface Audited extends Pick<Context, 'log' | 'config'> {
  readonly audit: Pick<Context['audit'], 'add'>;
}

const VIEWERS_LOOK =
  'you are logged in as a viewer, who may look at everything; this needs an operator';

/**
 * The one way into every write: viewers are refused, a line tells of it, and a page's form is answered with a page. Programs
 * get the handler's own answer.
 */
export const audited =
  (context: Audited, write: Write): Handler =>
  async (request) => {
    const note = (result: string) => noteAudit(context, lineOf(write.action, request, result));
    let answer: Answer;
    try {
      answer =
        request.person.role === 'viewer' ? refused(VIEWERS_LOOK) : await write.handle(request);
    } catch (error) {
      await note('failed; the log of the dashboard says why');
      throw error;
    }
    const refusal = refusalOf(answer);
    await note(refusal ?? 'done');
    if (!request.forPeople) return answer;
    if (refusal !== undefined) {
      const body = refusedDocument(refusal, { place: context.config.role, person: request.person });
      return { status: answer.status, body, type: 'text/html' };
    }
    // A dry run has figures to tell, and has done nothing.
    if (hasField(request.body, 'dryRun')) return answer;
    const location = `${write.shownAt(request.params)}?done=${write.action}`;
    return { status: 303, body: `see ${location}\n`, location };
  };

const hasField = (body: unknown, name: string): boolean =>
  typeof body === 'object' && body !== null && name in body;

const refused = (error: string): Answer => ({ status: 403, body: { error } });

/** The sentence of an answer that refuses; undefined of one that does not. */
function refusalOf({ status, body }: Answer): string | undefined {
  if (status < 400) return undefined;
  if (typeof body === 'object' && 'error' in body) return String(body.error);
  return `refused (${status})`;
}

const lineOf = (action: string, request: PlainRequest, result: string): AuditLine => ({
  atMs: Date.now(),
  who: request.person.name,
  by: request.forPeople ? 'page' : 'api',
  action,
  what: whatOf(request),
  result,
});

const WHAT_MOST = 300;

/** What was asked for, as it was asked: the names in the address, then the fields. */
function whatOf({ params, body }: PlainRequest): string {
  const fields = typeof body === 'object' && body !== null ? Object.entries(body) : [];
  const named = fields
    .filter(([, value]) => value !== '')
    .map(([name, value]) => `${name} ${typeof value === 'string' ? value : JSON.stringify(value)}`);
  const text = [...Object.values(params), ...named].join(', ');
  return text.length > WHAT_MOST ? `${text.slice(0, WHAT_MOST - 1)}…` : text;
}

/** What has been done is done, also when it cannot be noted. */
export async function noteAudit(
  { audit, log }: Pick<Audited, 'audit' | 'log'>,
  line: AuditLine,
): Promise<void> {
  log.info(line, `${line.who}: ${line.action}`);
  await audit.add(line).catch((error: Error) => {
    log.error({ err: error.message }, 'an audit line could not be kept');
  });
}
