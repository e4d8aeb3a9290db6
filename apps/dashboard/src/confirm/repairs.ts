import { directionOf, formatDirection, formatShare, progressOf } from '@vm-sync/core';
import { ChunkOrder, planOf, RetryRequest, whyNotCancellable } from '@vm-sync/queue';
import { countFailed, NO_SUCH_CHUNKS } from '../failed-chunks.ts';
import { chunkTitle } from '../job-title.ts';
import { html } from '../page/html.ts';
import { actionHref, jobHref, runHref } from '../page/links.ts';
import { bounded } from '../page/parts.ts';
import { countText } from '../page/text.ts';
import { type Confirm, NothingToConfirmError, textOf } from './confirmation.ts';

export const confirmCheck: Confirm = async () => ({
  title: 'Check now?',
  says: [
    'Both sites are compared as soon as what the scheduler is doing has ended. What is missing is repaired, as after any check.',
  ],
  post: '/api/checks',
  button: 'Check now',
});

export const confirmPause: Confirm = async () => ({
  title: 'Pause repairs?',
  says: [
    'No worker takes a further chunk. Chunks that are being copied are finished. Checks go on, and READY stays withheld as long as anything is missing.',
    'Nothing resumes by itself: repairs wait until somebody resumes them.',
  ],
  post: '/api/pause',
  button: 'Pause repairs',
});

export const confirmResume: Confirm = async () => ({
  title: 'Resume repairs?',
  says: ['Workers take chunks again, the newest gaps first.'],
  post: '/api/resume',
  button: 'Resume repairs',
});

export const confirmCancelRun: Confirm = async ({ store, queues }, query) => {
  const id = textOf(query, 'run');
  const run = await store.loadRun(id);
  const refusal = whyNotCancellable(run, id);
  if (!run || refusal !== undefined) {
    throw new NothingToConfirmError(run ? 409 : 404, refusal ?? '');
  }
  const progress = progressOf(planOf([run]), await store.finishedChunks(id), Date.now());
  const isPaused = await queues.repairs.isPaused();
  return {
    title: 'Cancel this run?',
    says: [
      html`Run <a href="${runHref(id)}">${id}</a>, ${formatDirection(run.direction)}: ${countText(progress.chunksDone)} of ${countText(progress.chunksPlanned)} chunks are done (${formatShare(progress.share)} of ${countText(progress.samplesPlanned)} samples).`,
      'Chunks that wait are not copied any more; those under way end without harm, and what has been copied stays.',
      html`What this run has not copied is still missing. ${isPaused ? 'Repairs are paused: until they are resumed its chunks cannot end, and nothing is planned in its place.' : html`The next check after its end finds it and plans it again, unless repairs are paused: <a href="${actionHref('pause')}">pause them</a> first if nothing shall be copied.`}`,
      run.backfillId !== null &&
        html`It belongs to backfill ${run.backfillId}, which goes on with another run. <a href="${actionHref('cancel-backfill', { id: run.backfillId })}">Cancel the backfill</a> to end both.`,
      run.recovery &&
        'It recovers what only the passive site has. With an open reconcile, or SYNC_DIRECTION=both, another run goes on with it.',
    ],
    post: `/api/runs/${encodeURIComponent(id)}/cancel`,
    button: 'Cancel this run',
  };
};

const SHOWN = 10;

export const confirmRetry: Confirm = async (context, query) => {
  const wish = RetryRequest.safeParse(Object.fromEntries(query));
  if (!wish.success) {
    throw new NothingToConfirmError(400, 'expected run, direction and error, each of them or none');
  }
  const { run, direction, error } = wish.data;
  const { total, first } = await countFailed(context, wish.data, SHOWN);
  if (total === 0) throw new NothingToConfirmError(409, NO_SUCH_CHUNKS);
  const named = [
    run !== undefined && `of run ${run}`,
    direction !== undefined && formatDirection(directionOf(direction)),
    error !== undefined && `whose error contains ${JSON.stringify(error)}`,
  ].filter((text) => text !== false);
  const nowMs = Date.now();
  const rows = first.map((job) => {
    const order = ChunkOrder.safeParse(job.data).data;
    const title = order ? chunkTitle(order, nowMs) : `job ${job.id}`;
    return html`<li><a href="${jobHref('repairs', job.id ?? '')}">${title}</a><span class="detail">${firstLine(job.failedReason)}</span></li>`;
  });
  return {
    title: `Retry ${countText(total)} failed chunk${total === 1 ? '' : 's'}?`,
    says: [
      named.length > 0 ? `Those ${named.join(', ')}.` : 'All that have failed.',
      'Each reads its orders anew before it writes, and sends only what is missing now. What failed for a cause that still holds fails again.',
      html`<ul class="rows">${bounded(rows, SHOWN, total)}</ul>`,
    ],
    post: '/api/chunks/retry',
    fields: Object.entries({ run, direction, error }).flatMap(([name, value]) =>
      value === undefined ? [] : [[name, value] as const],
    ),
    button: 'Retry',
  };
};

const firstLine = (text: string | undefined): string => (text ?? '').trim().split('\n', 1)[0] ?? '';
