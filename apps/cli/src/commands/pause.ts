import type { Config } from '@vm-sync/runtime';
import { answer, EXIT, type ExitCode, type Json } from '../output.ts';
import { withRedis } from '../redis.ts';

/** Stops repairs; chunks that are being copied are finished. */
export const pause = (config: Config, options: Json): Promise<ExitCode> =>
  withRedis(config, async ({ noted, repairs }) => {
    await noted('pause', '', () => repairs.pause());
    const text = 'repairs are paused; checks go on, vm-sync resume ends it';
    answer(options, { paused: true }, text);
    return EXIT.fine;
  });

export const resume = (config: Config, options: Json): Promise<ExitCode> =>
  withRedis(config, async ({ noted, repairs }) => {
    await noted('resume', '', () => repairs.resume());
    answer(options, { paused: false }, 'repairs go on');
    return EXIT.fine;
  });
