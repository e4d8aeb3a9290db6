import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { SESSION_LIMITS_MS, type SessionStore } from '@vm-sync/queue';
import { type Account, sessionProof } from './accounts.ts';

/** Opens, knows and ends sessions. A token is a browser's secret; the store sees its digest only. */
export class Sessions {
  readonly #store: SessionStore;
  readonly #accounts: readonly Account[];

  constructor(store: SessionStore, accounts: readonly Account[]) {
    this.#store = store;
    this.#accounts = accounts;
  }

  /** Answers with the token. */
  async open({ login }: Account): Promise<string> {
    const token = randomBytes(32).toString('base64url');
    const proof = sessionProof(token, login);
    await this.#store.save(idOf(token), { user: login.user, createdMs: Date.now(), proof });
    return token;
  }

  /** Whose session it is; undefined when it is over, or its password or user is no longer the one of the settings. */
  async find(token: string | undefined): Promise<Account | undefined> {
    if (token === undefined || !TOKEN.test(token)) return undefined;
    const session = await this.#store.use(idOf(token));
    if (session === undefined) return undefined;
    const account = this.#accounts.find(({ login }) => login.user === session.user);
    const isOver = Date.now() - session.createdMs >= SESSION_LIMITS_MS.whole;
    if (!isOver && account && isSame(session.proof, sessionProof(token, account.login))) {
      return account;
    }
    await this.#store.end(idOf(token));
    return undefined;
  }

  async end(token: string | undefined): Promise<void> {
    if (token !== undefined && TOKEN.test(token)) await this.#store.end(idOf(token));
  }
}

const TOKEN = /^[A-Za-z0-9_-]{43}$/;

const idOf = (token: string): string => createHash('sha256').update(token).digest('hex');

function isSame(one: string, other: string): boolean {
  const [a, b] = [Buffer.from(one), Buffer.from(other)];
  return a.length === b.length && timingSafeEqual(a, b);
}
