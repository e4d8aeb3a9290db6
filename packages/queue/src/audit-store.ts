import type { connect } from './connection.ts';
import { readJson } from './read-json.ts';
import { AuditLine } from './schemas.ts';

type Client = ReturnType<typeof connect>;

const KEY = '{vmsync}:audit';
const LINES_KEPT = 1_000;

/** What persons did: who, when, what, and what came of it. Kept in Redis, the newest thousand. */
export class AuditStore {
  readonly #redis: Client;

  constructor(redis: Client) {
    this.#redis = redis;
  }

  async add(line: AuditLine): Promise<void> {
    await this.#redis.lpush(KEY, JSON.stringify(line));
    await this.#redis.ltrim(KEY, 0, LINES_KEPT - 1);
  }

  /** The newest lines, newest first; what cannot be read is left out. */
  async list(most: number): Promise<AuditLine[]> {
    const texts = await this.#redis.lrange(KEY, 0, most - 1);
    return texts.flatMap((text) => readJson(text, AuditLine) ?? []);
  }
}
