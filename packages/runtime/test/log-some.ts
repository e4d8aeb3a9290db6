import { VmSyncError } from '@vm-sync/core';
import { createLogger } from '../src/logger.ts';

/** Run as a process of its own: a logger writes to standard output. */
const format = process.env['SOME_FORMAT'] === 'pretty' ? 'pretty' : 'auto';
const log = createLogger('info', 'worker', ['hunter2', 'p@ss'], format);
log.info({ url: 'http://u:p%40ss@h' }, 'with hunter2');
log.debug('not to be seen: hunter2');
log.error({ err: new Error('bad hunter2', { cause: new Error('cause p@ss') }) }, 'failed');
const cause = new Error('socket hang up');
log.warn(
  { err: new VmSyncError('busy', 'VM export error: dr', { cause, site: 'dr' }) },
  'failed again',
);
