import { SITES, type Site } from '@vm-sync/core';
import { askToAccept } from '@vm-sync/queue';
import type { Config } from '@vm-sync/runtime';
import { audited } from '../audited.ts';
import { complain, EXIT, type ExitCode, print } from '../output.ts';
import { withRedis } from '../redis.ts';

/** A person confirms that the VM at a site is the right one, whatever markers it carries; the next check marks it. */
export async function accept(config: Config, { site }: { site: string }): Promise<ExitCode> {
  if (!SITES.includes(site as Site)) {
    complain(`--site: expected primary or dr, got ${JSON.stringify(site)}`);
    return EXIT.unknown;
  }
  return withRedis(config, async ({ audit, checks }) => {
    await audited(audit, { action: 'accept', what: `site ${site}` }, () =>
      askToAccept(checks, site as Site),
    );
    print(`${site}'s VM is accepted as it is; the next check marks it (vm-sync status)`);
    return EXIT.fine;
  });
}
