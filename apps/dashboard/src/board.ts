import { createBullBoard } from '@bull-board/api';
import { BullMQAdapter } from '@bull-board/api/bullMQAdapter';
import { QUEUE_NAMES, QUEUES, type QueueName } from '@vm-sync/queue';
import type { RequestHandler } from 'express';
import { pageOfJob } from './board-links.ts';
import type { Context } from './context.ts';
import { GuardedAdapter } from './guarded-adapter.ts';
import { jobTitle } from './job-title.ts';
import { shownData } from './shown-data.ts';

const DESCRIPTIONS: Record<QueueName, string> = {
  checks: 'Looks for gaps at every interval, and settles a run when all its chunks are done.',
  repairs:
    'Copies what a destination lacks, one chunk per job. A failed one says what to do, and is retried here.',
  notifications: 'Tells people what has changed: one job per message and target.',
};

/** One colour per place, so that nobody takes one site's board for the other's. */
const SITE_COLOURS = { primary: '#1d4ed8', dr: '#b45309' } as const;

/** Bull Board over the three queues, mounted at /queues. */
export function boardRouter(context: Context): RequestHandler[] {
  const { config, queues } = context;
  const serverAdapter = new GuardedAdapter(context);
  serverAdapter.setBasePath('/queues');
  createBullBoard({
    serverAdapter,
    queues: QUEUE_NAMES.map((name) => adapterOf(queues, name)),
    options: {
      uiConfig: {
        boardTitle: 'vm-sync',
        boardLogo: { path: '/assets/icon.svg', width: 24, height: 24 },
        environment: { label: config.role, color: SITE_COLOURS[config.role], textColor: '#fff' },
        hideDocsLink: true,
        sortQueues: false,
        miscLinks: [
          { text: 'Status', url: '/' },
          { text: 'Audit log', url: '/audit' },
          { text: 'Metrics', url: '/metrics' },
        ],
        favIcon: { default: '/assets/icon.svg', alternative: '/assets/icon.svg' },
      },
    },
  });
  const board = serverAdapter.getRouter();
  board.disable('x-powered-by');
  return [keepsNothing, serverAdapter.remembersPerson(), board, serverAdapter.closesTheRest()];
}

/** Jobs, like everything that needs a login, stay in no browser's cache after it; the board's own files may. */
const keepsNothing: RequestHandler = (request, response, next) => {
  if (!request.path.startsWith('/static/')) response.set('cache-control', 'no-store');
  next();
};

const linkOf = ({ data }: { readonly data: unknown }) => pageOfJob(data);

function adapterOf(queues: Context['queues'], name: QueueName): BullMQAdapter {
  const options = {
    description: DESCRIPTIONS[name],
    // Known to the adapter, not yet to its types: the page then offers no retry of what has succeeded.
    allowCompletedRetries: false,
    ...(name === 'notifications' ? {} : { externalJobUrl: linkOf }),
  };
  const adapter = new BullMQAdapter(queues[name], options);
  if (adapter.getName() !== QUEUES[name]) throw new Error(`the board misnames queue ${name}`);
  adapter.setFormatter('name', (job) => jobTitle(job, Date.now()));
  if (name === 'repairs') adapter.setFormatter('data', shownData);
  return adapter;
}
