import type { Context } from '../context.ts';
import type { Handler } from '../http/serve.ts';
import { loadOverview } from '../overview.ts';
import { statusDocument } from '../page/status-document.ts';

export const statusPage =
  (context: Context): Handler =>
  async ({ person }) => ({
    status: 200,
    body: statusDocument(await loadOverview(context, Date.now()), person),
    type: 'text/html',
  });
