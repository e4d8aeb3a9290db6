import type { Context } from '../context.ts';
import type { Handler } from '../http/serve.ts';
import { auditDocument } from '../page/audit-document.ts';

/** As many as the store keeps. */
const LINES_MOST = 1_000;
const LINES_SHOWN = 200;

/** What persons did, the last first. */
export const listAudit =
  ({ audit }: Context): Handler =>
  async () => ({ status: 200, body: { lines: await audit.list(LINES_MOST) } });

export const auditPage =
  ({ audit, config }: Context): Handler =>
  async ({ person }) => ({
    status: 200,
    body: auditDocument(await audit.list(LINES_SHOWN), { place: config.role, person }, Date.now()),
    type: 'text/html',
  });
