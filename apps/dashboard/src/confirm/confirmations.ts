import {
  confirmBackfill,
  confirmBackfillChange,
  confirmCancelReconcile,
  confirmReconcile,
} from './backfills.ts';
import type { Confirm } from './confirmation.ts';
import {
  confirmCancelRun,
  confirmCheck,
  confirmPause,
  confirmResume,
  confirmRetry,
} from './repairs.ts';
import { confirmAccept, confirmAcknowledge, confirmPin, confirmUnpin } from './words.ts';

interface PageAction {
  readonly confirm: Confirm;
  /** What is said when it was done. */
  readonly done: string;
}

/** Every action by the name that it has in the audit log and in its confirmation's address. */
export const ACTIONS: ReadonlyMap<string, PageAction> = new Map([
  [
    'check',
    { confirm: confirmCheck, done: 'A check is asked for; it begins when the scheduler is free.' },
  ],
  ['pause', { confirm: confirmPause, done: 'Repairs are paused.' }],
  ['resume', { confirm: confirmResume, done: 'Repairs go on.' }],
  [
    'cancel-run',
    {
      confirm: confirmCancelRun,
      done: 'The end of this run is asked for; its chunks end one after another.',
    },
  ],
  ['retry', { confirm: confirmRetry, done: 'The failed chunks are tried again.' }],
  [
    'backfill',
    {
      confirm: confirmBackfill,
      done: 'The backfill is asked for; it is listed below when the scheduler has taken it up.',
    },
  ],
  [
    'pause-backfill',
    { confirm: confirmBackfillChange('pause'), done: 'The pause of the backfill is asked for.' },
  ],
  [
    'resume-backfill',
    { confirm: confirmBackfillChange('resume'), done: 'The backfill is asked to go on.' },
  ],
  [
    'cancel-backfill',
    { confirm: confirmBackfillChange('cancel'), done: 'The end of the backfill is asked for.' },
  ],
  ['reconcile', { confirm: confirmReconcile, done: 'The reconcile is asked for.' }],
  [
    'cancel-reconcile',
    { confirm: confirmCancelReconcile, done: 'The end of the reconcile is asked for.' },
  ],
  [
    'pin',
    {
      confirm: confirmPin,
      done: 'The pin is asked for; it is shown below when the scheduler has taken it up.',
    },
  ],
  ['unpin', { confirm: confirmUnpin, done: 'The end of the pin is asked for.' }],
  [
    'acknowledge',
    { confirm: confirmAcknowledge, done: 'The acknowledgement is noted. READY stays withheld.' },
  ],
  [
    'accept',
    { confirm: confirmAccept, done: 'The database is accepted; the next check marks it.' },
  ],
]);

/** What a page says after its form was sent; undefined for what is no action. */
export const doneText = (query: URLSearchParams): string | undefined =>
  ACTIONS.get(query.get('done') ?? '')?.done;
