import { formatDuration, type Pin, PinRefusedError, readPinWish } from '@vm-sync/core';
import { askForPin, askForUnpin } from '@vm-sync/queue';
import type { Config } from '@vm-sync/runtime';
import { answer, EXIT, type ExitCode, type Json } from '../output.ts';
import { withRedis } from '../redis.ts';

type Options = Json & { readonly for: string };

/** Has a person's word about the direction count for a time, whatever DNS says. */
export async function pin(
  config: Config,
  options: Options,
  [site = '']: readonly string[],
): Promise<ExitCode> {
  const nowMs = Date.now();
  const wish = readWish(site, options, nowMs);
  return withRedis(config, async ({ checks, noted }) => {
    const until = new Date(wish.untilMs).toISOString();
    await noted('pin', `${wish.site} until ${until}`, () => askForPin(checks, wish));
    const span = formatDuration(wish.untilMs - nowMs);
    answer(
      options,
      { pin: wish },
      `pin asked for: ${wish.site} is the active site for ${span}, until ${until}`,
      'vm-sync status shows it when the scheduler has taken it up, vm-sync unpin ends it',
    );
    return EXIT.fine;
  });
}

/** Whatever is wrong with a wish is said by the option's name. */
function readWish(site: string, { for: span }: Options, nowMs: number): Pin {
  try {
    return readPinWish({ site, for: span }, nowMs);
  } catch (error) {
    if (!(error instanceof PinRefusedError)) throw error;
    throw new Error(`${error.field === 'for' ? '--' : ''}${error.message}`);
  }
}

export const unpin = (config: Config, options: Json): Promise<ExitCode> =>
  withRedis(config, async ({ checks, noted }) => {
    await noted('unpin', '', () => askForUnpin(checks));
    const text = 'end of the pin asked for: the direction follows DNS or ACTIVE_SITE again';
    answer(options, { pin: null }, text);
    return EXIT.fine;
  });
