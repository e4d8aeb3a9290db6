import { formatDuration, PinRefusedError, readPinWish } from '@vm-sync/core';
import { askForPin, askForUnpin } from '@vm-sync/queue';
import type { Config } from '@vm-sync/runtime';
import { audited } from '../audited.ts';
import { complain, EXIT, type ExitCode, print } from '../output.ts';
import { withRedis } from '../redis.ts';

/** Has a person's word about the direction count for a time, whatever DNS says. */
export async function pin(
  config: Config,
  options: { readonly for: string },
  [site = '']: readonly string[],
): Promise<ExitCode> {
  const nowMs = Date.now();
  try {
    const wish = readPinWish({ site, for: options.for }, nowMs);
    return await withRedis(config, async ({ audit, checks }) => {
      const what = `site ${site}, for ${options.for}`;
      await audited(audit, { action: 'pin', what }, () => askForPin(checks, wish));
      const until = new Date(wish.untilMs).toISOString();
      print(
        `pin asked for: ${wish.site} is the active site for ${formatDuration(wish.untilMs - nowMs)}, until ${until}`,
      );
      print('vm-sync status shows it when the scheduler has taken it up, vm-sync unpin ends it');
      return EXIT.fine;
    });
  } catch (error) {
    if (!(error instanceof PinRefusedError)) throw error;
    complain(`${error.field === 'for' ? '--' : ''}${error.message}`);
    return EXIT.unknown;
  }
}

export const unpin = (config: Config): Promise<ExitCode> =>
  withRedis(config, async ({ audit, checks }) => {
    await audited(audit, { action: 'unpin' }, () => askForUnpin(checks));
    print('end of the pin asked for: the direction follows DNS or ACTIVE_SITE again');
    return EXIT.fine;
  });
