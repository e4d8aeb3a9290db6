import { z } from 'zod';
import type { connect } from './connection.ts';
import { noneOfWrongKind, readJson } from './read-json.ts';

type Client = ReturnType<typeof connect>;

const keyOf = (id: string): string => `{vmsync}:session:${id}`;

const HOUR_MS = 3_600_000;

/** A session ends after so long without a request, and after so long in any case. */
export const SESSION_LIMITS_MS = { idle: 12 * HOUR_MS, whole: 7 * 24 * HOUR_MS } as const;

const Session = z.object({
  user: z.string(),
  createdMs: z.number(),
  /** Ties it to the password that it was opened with, and tells nothing of that to whoever reads it here. */
  proof: z.string(),
});
type Session = z.infer<typeof Session>;

/** What the login page sends. Limits are far above what people type. */
export const LoginRequest = z.object({
  user: z.string().max(200),
  password: z.string().max(1_000),
  next: z.string().optional(),
});

/** Who has logged in, so that a restart of the dashboard ends no session. Redis ends those that nobody uses. */
export class SessionStore {
  readonly #redis: Client;

  constructor(redis: Client) {
    this.#redis = redis;
  }

  async save(id: string, session: Session): Promise<void> {
    await this.#redis.set(keyOf(id), JSON.stringify(session), 'PX', SESSION_LIMITS_MS.idle);
  }

  /** Looking at a session counts as using it. Undefined when there is none, or what there is cannot be read. */
  async use(id: string): Promise<Session | undefined> {
    const text = await this.#redis
      .getex(keyOf(id), 'PX', SESSION_LIMITS_MS.idle)
      .catch(noneOfWrongKind);
    return readJson(text, Session);
  }

  async end(id: string): Promise<void> {
    await this.#redis.del(keyOf(id));
  }
}
