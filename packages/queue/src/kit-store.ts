import type { RepairKit } from '@vm-sync/core';
import type { connect } from './connection.ts';
import { noneOfWrongKind, readJson } from './read-json.ts';
import { RepairKitSchema } from './schemas.ts';

type Client = ReturnType<typeof connect>;

const keyOf = (jobId: string): string => `{vmsync}:kit:${jobId}`;

/** As long as failed jobs are kept. */
const KEPT_S = 14 * 86_400;

/** The repair kits of chunks that failed for good, by their jobs' ids. */
export class KitStore {
  readonly #redis: Client;

  constructor(redis: Client) {
    this.#redis = redis;
  }

  async save(jobId: string, kit: RepairKit): Promise<void> {
    await this.#redis.set(keyOf(jobId), JSON.stringify(kit), 'EX', KEPT_S);
  }

  /** Undefined when the job has none, or one that cannot be read. */
  async load(jobId: string): Promise<RepairKit | undefined> {
    const text = await this.#redis.get(keyOf(jobId)).catch(noneOfWrongKind);
    return readJson(text, RepairKitSchema);
  }

  /** A chunk that is done needs none any more. */
  async drop(jobId: string): Promise<void> {
    await this.#redis.unlink(keyOf(jobId));
  }
}
