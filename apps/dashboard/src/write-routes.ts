import { audited, type Write } from './audited.ts';
import type { Context } from './context.ts';
import { acceptSite } from './handlers/accept-site.ts';
import { acknowledge } from './handlers/acknowledge.ts';
import { changeBackfill, startBackfill } from './handlers/backfills.ts';
import { cancelRun } from './handlers/cancel-run.ts';
import { pauseRepairs, resumeRepairs } from './handlers/pause-repairs.ts';
import { pinDirection, unpinDirection } from './handlers/pin-direction.ts';
import { startReconcile, stopReconcile } from './handlers/reconcile.ts';
import { retryChunks } from './handlers/retry-chunks.ts';
import { startCheck } from './handlers/start-check.ts';
import type { Handler, Route } from './http/serve.ts';
import { runHref } from './page/links.ts';

/** Everything that a person or a script can have done; each with its line in the audit log. */
export function writeRoutes(context: Context): Route[] {
  const write = (
    path: string,
    action: string,
    handle: Handler,
    shownAt: Write['shownAt'] = () => '/actions',
  ): Route => ({
    method: 'post',
    path,
    needsRedis: true,
    handle: audited(context, { action, handle, shownAt }),
  });
  const changes = (['pause', 'resume', 'cancel'] as const).map((change) =>
    write(`/api/backfills/:id/${change}`, `${change}-backfill`, changeBackfill(context, change)),
  );
  return [
    write('/api/checks', 'check', startCheck(context)),
    write('/api/pause', 'pause', pauseRepairs(context)),
    write('/api/resume', 'resume', resumeRepairs(context)),
    write('/api/runs/:id/cancel', 'cancel-run', cancelRun(context), ({ id = '' }) => runHref(id)),
    write('/api/chunks/retry', 'retry', retryChunks(context)),
    write('/api/backfills', 'backfill', startBackfill(context)),
    ...changes,
    write('/api/reconcile', 'reconcile', startReconcile(context)),
    write('/api/reconcile/cancel', 'cancel-reconcile', stopReconcile(context)),
    write('/api/pin', 'pin', pinDirection(context)),
    write('/api/unpin', 'unpin', unpinDirection(context)),
    write('/api/acknowledge', 'acknowledge', acknowledge(context)),
    write('/api/accept', 'accept', acceptSite(context)),
  ];
}
