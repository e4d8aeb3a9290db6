import { type ActiveSite, judgeDirection, NO_DIRECTION, type SyncState } from '@vm-sync/core';
import { type Config, hearWitnesses, readStateFile } from '@vm-sync/runtime';
import { withRedis } from './redis.ts';

type Remembered = Pick<SyncState, 'direction' | 'pin'>;

/** Which site is active by a look just now, judged by what is remembered of the direction. */
export async function lookAtDirection(
  config: Config,
  { direction, pin }: Remembered,
): Promise<ActiveSite> {
  return judgeDirection(direction, await hearWitnesses(config.active), pin).active;
}

/** What the scheduler remembers, where Redis or its state file can be read from here. */
export async function rememberedDirection(config: Config): Promise<Remembered> {
  const inRedis = await withRedis(config, ({ store }) => store.loadState()).catch(() => undefined);
  const known = inRedis ?? (await readStateFile(config.stateFile).catch(() => undefined));
  return known ?? { direction: NO_DIRECTION, pin: null };
}
