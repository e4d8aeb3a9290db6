import { AsyncLocalStorage } from 'node:async_hooks';
import type { AppControllerRoute } from '@bull-board/api/typings/app';
import { ExpressAdapter } from '@bull-board/express';
import { errorText } from '@vm-sync/core';
import type { AuditLine } from '@vm-sync/queue';
import { secretsOf, withoutSecrets } from '@vm-sync/runtime';
import type { RequestHandler } from 'express';
import { type BoardRequest, CLOSED, judgeBoardAction } from './board-actions.ts';
import { actionOf, resultOf, retriedCount, shortened, subjectOf } from './board-audit.ts';
import type { Context } from './context.ts';
import { type Person, personOf } from './http/person.ts';
import { refuse } from './http/refuse.ts';

type Handler = AppControllerRoute['handler'];

/**
 * Bull Board's adapter for Express, with a guard around every route that writes: it is judged by the board's own name of
 * the route, so that a route of a later board is closed until it is listed, and leaves a line in the audit log,
 * whatever became of it.
 */
export class GuardedAdapter extends ExpressAdapter {
  readonly #context: Context;
  /** Bull Board hands its handlers no Express request: who asks comes to them this way. */
  readonly #asking = new AsyncLocalStorage<Person>();

  constructor(context: Context) {
    super();
    this.#context = context;
  }

  /** To stand before the board. */
  remembersPerson(): RequestHandler {
    return (request, _response, next) => this.#asking.run(personOf(request), next);
  }

  /** To stand behind the board: no write goes by it without an answer and a line. */
  closesTheRest(): RequestHandler {
    return async (request, response, next) => {
      if (request.method === 'GET' || request.method === 'HEAD') return next();
      const { name: who } = personOf(request);
      await this.#note({
        who,
        action: request.method.toLowerCase(),
        what: shortened(request.path),
        result: CLOSED,
      });
      return refuse(request, response, 403, CLOSED);
    };
  }

  override setApiRoutes(routes: AppControllerRoute[]): this {
    super.setApiRoutes(
      routes.map((route) => {
        const method = [route.method].flat().find((one) => one !== 'get');
        const handler =
          method === undefined ? inPages(route.handler) : this.#guarded(route, method);
        return { ...route, handler };
      }),
    );
    return this;
  }

  #guarded({ route, handler }: AppControllerRoute, method: string): Handler {
    const path = [route].flat().join(' ');
    return async (request) => {
      const person = this.#asking.getStore();
      // Nobody comes here past the door; whoever did would be nobody.
      if (!person || !request) return refusal('it is not known who asks');
      const asked = boardRequest(request);
      const line = {
        who: person.name,
        action: actionOf(path),
        what: await subjectOf(asked, Date.now()),
      };
      const refused = await judgeBoardAction(person, method, path, asked);
      if (refused !== undefined) {
        await this.#note({ ...line, result: refused });
        return refusal(refused);
      }
      try {
        const answer = await handler(request);
        const { status = 200, body } = answer;
        const retried = retriedCount(body);
        const what =
          retried === undefined
            ? line.what
            : `${asked.params['queueName']}: ${retried} failed jobs`;
        await this.#note({ ...line, what, result: resultOf(status, body) });
        return answer;
      } catch (error) {
        await this.#note({ ...line, result: `failed: ${this.#safeText(error)}` });
        throw error;
      }
    };
  }

  #safeText(error: unknown): string {
    return shortened(withoutSecrets(errorText(error), secretsOf(this.#context.config)));
  }

  /** That a line cannot be kept does not undo what was done: then the process' log alone has it. */
  async #note(line: Omit<AuditLine, 'atMs' | 'by'>): Promise<void> {
    const { audit, log } = this.#context;
    log.info(line, 'board action');
    try {
      await audit.add({ atMs: Date.now(), by: 'board', ...line });
    } catch (error) {
      log.warn({ err: this.#safeText(error) }, 'an action on the board is not in the audit log');
    }
  }
}

/** As many as the board's own settings allow. */
const JOBS_ON_A_PAGE = 300;

/** However many jobs an address asks for: ten thousand with their data would keep the process from everything else. */
const inPages =
  (handler: Handler): Handler =>
  (request) => {
    const asked = Number(request?.query?.['jobsPerPage']);
    if (!request || !(asked > JOBS_ON_A_PAGE)) return handler(request);
    const query = { ...request.query, jobsPerPage: String(JOBS_ON_A_PAGE) };
    return handler({ ...request, query });
  };

/** `message` is what the board shows to whoever pressed the button. */
const refusal = (message: string): Awaited<ReturnType<Handler>> => ({
  status: 403,
  body: { error: { key: 'ERRORS.FORBIDDEN' }, message },
});

const boardRequest = ({ params, queues }: NonNullable<Parameters<Handler>[0]>): BoardRequest => ({
  params,
  queues,
});
