import { doneText } from '../confirm/confirmations.ts';
import type { Context } from '../context.ts';
import type { Handler } from '../http/serve.ts';
import { refusedDocument } from '../page/refused-document.ts';
import { runDocument } from '../page/run-document.ts';
import { runsDocument } from '../page/runs-document.ts';
import { loadRunDetail } from '../run-detail.ts';

/** As many as the store keeps. */
const RUNS_MOST = 200;
const A_PAGE = 50;

/** The known runs, newest first, page by page. */
export const runsPage =
  ({ store, config }: Context): Handler =>
  async ({ person, query }) => {
    const runs = await store.listRuns(RUNS_MOST);
    const pages = Math.max(1, Math.ceil(runs.length / A_PAGE));
    const asked = Number(query.get('page') ?? 1);
    const page = Number.isInteger(asked) ? Math.min(Math.max(asked, 1), pages) : 1;
    const shown = runs.slice((page - 1) * A_PAGE, page * A_PAGE);
    const body = runsDocument(
      { runs: shown, total: runs.length, page, pages },
      { place: config.role, person },
      Date.now(),
    );
    return { status: 200, body, type: 'text/html' };
  };

export const runPage =
  (context: Context): Handler =>
  async ({ params, person, query }) => {
    const { role } = context.config;
    const detail = await loadRunDetail(context, params['id'] ?? '', Date.now());
    if (!detail) {
      const sentence = 'there is no such run, or it is too old to be remembered';
      return {
        status: 404,
        body: refusedDocument(sentence, { place: role, person }),
        type: 'text/html',
      };
    }
    const body = runDocument(detail, { role, person, done: doneText(query) });
    return { status: 200, body, type: 'text/html' };
  };
