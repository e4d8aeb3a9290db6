import type { Config } from '@vm-sync/runtime';
import { audited } from '../audited.ts';
import { EXIT, type ExitCode, print } from '../output.ts';
import { withRedis } from '../redis.ts';

/** Stops repairs; chunks that are being copied are finished. */
export const pause = (config: Config): Promise<ExitCode> =>
  withRedis(config, async ({ audit, repairs }) => {
    await audited(audit, { action: 'pause' }, () => repairs.pause());
    print('repairs are paused; checks go on, vm-sync resume ends it');
    return EXIT.fine;
  });

export const resume = (config: Config): Promise<ExitCode> =>
  withRedis(config, async ({ audit, repairs }) => {
    await audited(audit, { action: 'resume' }, () => repairs.resume());
    print('repairs go on');
    return EXIT.fine;
  });
