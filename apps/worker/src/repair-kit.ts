import {
  errorText,
  formatKit,
  type KitCount,
  makeRepairKit,
  type RepairKit,
  type Site,
  VmSyncError,
} from '@vm-sync/core';
import type { ChunkOrder, KitStore } from '@vm-sync/queue';
import type { Config, Logger } from '@vm-sync/runtime';
import { type CurlSide, curlLines, type Databases } from '@vm-sync/victoria-metrics';
import type { Job } from 'bullmq';
import type { Diary } from './diary.ts';

interface KitContext {
  readonly config: Config;
  readonly log: Logger;
  readonly databases: Databases;
  readonly kits: KitStore;
  /** Takes secrets out of a text. */
  readonly clean: (text: string) => string;
}

/** A side that does not say how many samples it has within this time is not waited for. */
const COUNT_MS = 5_000;

/** True when no try is left: nothing but a person's word, or time, brings the chunk back. */
export const isLastTry = (job: Job): boolean => job.attemptsMade + 1 >= (job.opts.attempts ?? 1);

/**
 * Leaves what a person needs in the job's log, and beside it, and gives it back. Whatever fails in this changes nothing of
 * the failure.
 */
export async function leaveRepairKit(
  job: Job,
  order: ChunkOrder,
  error: unknown,
  diary: Diary,
  context: KitContext,
): Promise<RepairKit | undefined> {
  try {
    const kit = await repairKitOf(order, error, context);
    for (const line of formatKit(kit)) diary.note(line);
    await context.kits.save(job.id ?? '', kit);
    return kit;
  } catch (fault) {
    context.log.warn({ err: errorText(fault), jobId: job.id }, 'a failed chunk has no repair kit');
    return undefined;
  }
}

async function repairKitOf(
  { direction, chunk }: ChunkOrder,
  error: unknown,
  { config, databases, clean }: KitContext,
): Promise<RepairKit> {
  const count = (site: Site) => countOf(databases[site], chunk, clean);
  const [source, destination] = await Promise.all([
    count(direction.source),
    count(direction.destination),
  ]);
  const lines = curlLines(
    chunk,
    sideOf(direction.source, config),
    sideOf(direction.destination, config),
  );
  const failure = {
    text: clean(errorText(error)),
    site: error instanceof VmSyncError ? error.site : undefined,
  };
  return makeRepairKit(failure, {
    failedMs: Date.now(),
    direction,
    counts: { source, destination },
    ...lines,
    places: { primary: placeOf('primary', config), dr: placeOf('dr', config) },
  });
}

async function countOf(
  database: Databases[Site],
  { selectors, window }: ChunkOrder['chunk'],
  clean: (text: string) => string,
): Promise<KitCount> {
  const signal = AbortSignal.timeout(COUNT_MS);
  try {
    return { samples: await database.totalSamples({ selectors, window, signal }), why: null };
  } catch (error) {
    const why = signal.aborted ? `no answer within ${COUNT_MS / 1e3} s` : clean(errorText(error));
    return { samples: null, why };
  }
}

const placeOf = (site: Site, { role }: Config): CurlSide['place'] =>
  site === role ? 'LOCAL' : 'REMOTE';

const sideOf = (site: Site, config: Config): CurlSide => ({
  site,
  place: placeOf(site, config),
  vm: config.vm[site],
});
