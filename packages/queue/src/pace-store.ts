import { lostPace, type Pace, type PaceLimits, type Site, type SiteMemory } from '@vm-sync/core';
import { z } from 'zod';
import type { connect } from './connection.ts';
import { readJson } from './read-json.ts';

type Client = ReturnType<typeof connect>;

const KEYS = {
  pace: '{vmsync}:pace',
  /** Stands as long as somebody governs. */
  governed: '{vmsync}:pace-governed',
  busy: '{vmsync}:busy-answers',
  sent: '{vmsync}:bytes-paid-until',
} as const;

/** A pace that was not renewed for this long is not to be relied on: nobody watches the databases. */
const GOVERNED_MS = 30_000;

/** Of an idle time so much is made up for; it evens out late wake-ups, and is no burst that a link would feel. */
const BURST_MS = 100;

/** What says that it is booked for longer is nothing that was written here. */
const DAY_MICROS = 86_400_000_000;

/**
 * Books `ARGV[1]` bytes at `ARGV[2]` bytes per second and answers in how many milliseconds their turn comes. The key
 * holds the instant (in microseconds of Redis' own clock) up to which bytes are booked.
 */
const BOOK = `
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local rate = tonumber(ARGV[2])
local paid = tonumber(redis.call('GET', KEYS[1]) or '0')
if not (paid and paid < now + ${DAY_MICROS}) then paid = 0 end
local from = math.max(paid, now - ${BURST_MS * 1000})
local to = from + tonumber(ARGV[1]) / rate * 1000000
redis.call('SET', KEYS[1], string.format('%.0f', to), 'PX', math.ceil(math.max(to - now, 0) / 1000) + 1000)
return math.ceil(math.max(from - now, 0) / 1000)`;

const memory: z.ZodType<SiteMemory> = z.object({
  atMs: z.number(),
  usualMs: z.number().nullable(),
  waits: z.number().nullable(),
  rows: z.number().nullable(),
  slowRows: z.number().nullable(),
});

const PaceSchema: z.ZodType<Pace> = z.object({
  copies: z.number().int().min(1),
  bytesPerS: z.number().min(1).nullable(),
  stopped: z.boolean(),
  reason: z.string().nullable(),
  restTicks: z.number().int().min(0),
  memory: z.object({ primary: memory.optional(), dr: memory.optional() }),
});

/** What the governor and the workers share through Redis: the pace, the busy answers, and the bytes per second. */
export class PaceStore {
  readonly #redis: Client;

  constructor(redis: Client) {
    this.#redis = redis;
  }

  async save(pace: Pace): Promise<void> {
    await this.#redis
      .multi()
      .set(KEYS.pace, JSON.stringify(pace))
      .set(KEYS.governed, '1', 'PX', GOVERNED_MS)
      .exec();
  }

  /**
   * The last pace, and whether somebody still governs; undefined where there is none that can be read. A pace that is
   * not governed is good for what was told of it, not for going by.
   */
  async load(): Promise<{ readonly pace: Pace; readonly governed: boolean } | undefined> {
    const [text, governed] = await this.#redis.mget(KEYS.pace, KEYS.governed);
    const pace = readJson(text ?? null, PaceSchema);
    return pace && { pace, governed: governed !== null };
  }

  /** The pace that holds now: the governor's, or a slow one when nobody governs. */
  async current(limits: PaceLimits): Promise<Pace> {
    const found = await this.load();
    return found?.governed ? found.pace : lostPace(limits, found?.pace);
  }

  /** Called by workers for every answer of 429 or 503. */
  async countBusy(site: Site): Promise<void> {
    await this.#redis.hincrby(KEYS.busy, site, 1);
  }

  /** The busy answers since they were last taken. */
  async takeBusy(): Promise<Readonly<Record<Site, number>>> {
    const [counted] = (await this.#redis.multi().hgetall(KEYS.busy).del(KEYS.busy).exec()) ?? [];
    const busy = (counted?.[1] ?? {}) as Partial<Record<Site, string>>;
    return { primary: Number(busy.primary) || 0, dr: Number(busy.dr) || 0 };
  }

  /**
   * Books bytes for sending, at a rate that all workers share, and answers with how many milliseconds to wait before
   * they are sent. Whoever books and does not send wastes no more than what was booked.
   */
  async bookBytes(bytes: number, bytesPerS: number): Promise<number> {
    return Number(await this.#redis.eval(BOOK, 1, KEYS.sent, bytes, bytesPerS));
  }
}
