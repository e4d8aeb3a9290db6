import type { DutyView } from '@vm-sync/core';
import type { connect } from './connection.ts';
import { readJson } from './read-json.ts';
import { DutyViewSchema } from './schemas.ts';

type Client = ReturnType<typeof connect>;

const KEYS = {
  /** Stands as long as this vm-sync may repair. */
  lease: '{vmsync}:duty',
  view: '{vmsync}:duty-view',
} as const;

const LEND = `
local time = redis.call('TIME')
local left = tonumber(ARGV[1]) - math.ceil(time[1] * 1000 + time[2] / 1000)
if left > 0 then redis.call('SET', KEYS[1], '1', 'PX', string.format('%.0f', left)) end`;

/** Who repairs, as a scheduler tells its workers (and people) through Redis. */
export class DutyStore {
  readonly #redis: Client;

  constructor(redis: Client) {
    this.#redis = redis;
  }

  /** Milliseconds of Redis' own clock. */
  async nowMs(): Promise<number> {
    const [seconds, micros] = await this.#redis.time();
    return Number(seconds) * 1000 + Number(micros) / 1000;
  }

  /** Workers of this Redis may write until that instant of its clock; nothing happens when it has passed. */
  async lendUntil(redisMs: number): Promise<void> {
    await this.#redis.eval(LEND, 1, KEYS.lease, Math.floor(redisMs));
  }

  async takeBack(): Promise<void> {
    await this.#redis.del(KEYS.lease);
  }

  /** For how much longer workers may write; 0 when they may not. */
  async lentForMs(): Promise<number> {
    return Math.max(0, await this.#redis.pttl(KEYS.lease));
  }

  async saveView(view: DutyView): Promise<void> {
    await this.#redis.set(KEYS.view, JSON.stringify(view));
  }

  /** What the scheduler last saw; undefined when it never did. */
  async loadView(): Promise<DutyView | undefined> {
    return readJson(await this.#redis.get(KEYS.view), DutyViewSchema);
  }
}
