import { z } from 'zod';
import type { connect } from './connection.ts';
import { readJson } from './read-json.ts';

type Client = ReturnType<typeof connect>;

const KEY = '{vmsync}:checks';
const CHECKS_KEPT = 300;

const amount = z.number().min(0);

/** What is remembered of one check. */
export const PastCheck = z.object({
  atMs: z.number().int().min(0).max(8.64e15),
  outcome: z.enum(['clean', 'gaps', 'unknown']),
  /** Of the source. Null where the check could not find out. */
  samples: amount.nullable(),
  missing: amount.nullable(),
  tookMs: amount,
});
export type PastCheck = z.infer<typeof PastCheck>;

/** The last checks. Kept in Redis, the newest three hundred: ten hours at the default interval. */
export class CheckHistoryStore {
  readonly #redis: Client;

  constructor(redis: Client) {
    this.#redis = redis;
  }

  async add(check: PastCheck): Promise<void> {
    await this.#redis.lpush(KEY, JSON.stringify(check));
    await this.#redis.ltrim(KEY, 0, CHECKS_KEPT - 1);
  }

  /** Newest first; what cannot be read is left out. */
  async list(most: number = CHECKS_KEPT): Promise<PastCheck[]> {
    const texts = await this.#redis.lrange(KEY, 0, most - 1);
    return texts.flatMap((text) => readJson(text, PastCheck) ?? []);
  }
}
