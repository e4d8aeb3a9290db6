import { askToAccept } from '@vm-sync/queue';
import type { Config } from '@vm-sync/runtime';
import { answer, EXIT, type ExitCode, type Json } from '../output.ts';
import { readSite } from '../read-site.ts';
import { withRedis } from '../redis.ts';

type Options = Json & { readonly site: string };

/** A person confirms that the VM at a site is the right one, whatever markers it carries; the next check marks it. */
export function accept(config: Config, options: Options): Promise<ExitCode> {
  const site = readSite(options.site);
  return withRedis(config, async ({ checks, noted }) => {
    await noted('accept', `site ${site}`, () => askToAccept(checks, site));
    const text = `${site}'s VM is accepted as it is; the next check marks it (vm-sync status)`;
    answer(options, { accepted: site }, text);
    return EXIT.fine;
  });
}
