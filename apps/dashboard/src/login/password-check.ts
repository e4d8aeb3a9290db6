import { hashPassword, isPassword, QUICK_COST } from '@vm-sync/runtime';
import { type Account, keyedDigest } from './accounts.ts';
import { Gate } from './gate.ts';
import { Throttle } from './throttle.ts';

export type Verdict =
  | { readonly kind: 'right'; readonly account: Account }
  | { readonly kind: 'wrong' }
  /** Nothing was looked at: after too many failures, or because too many log in at this moment. */
  | { readonly kind: 'wait' | 'busy'; readonly waitMs: number };

/** Each takes 16 MiB and a thread of the four that Node has for all such work. */
const HASHES_AT_ONCE = 2;
const HASHES_WAITING = 20;
const BUSY_MS = 3_000;

/**
 * Checks passwords: slowly for who guesses, at once for a program that shows the same right one with every request. An
 * unknown user costs as much as a known one.
 */
export class PasswordCheck {
  readonly #accounts: readonly Account[];
  readonly #clock: () => number;
  readonly #throttle = new Throttle();
  readonly #gate = new Gate(HASHES_AT_ONCE, HASHES_WAITING);
  readonly #digest = keyedDigest();
  /** Digests of right passwords, one for each account at the most. */
  readonly #known = new Map<string, Account>();
  readonly #underWay = new Map<string, Promise<Verdict>>();
  /** Passwords that the settings hold as they are are hashed when first asked for. */
  readonly #hashes = new Map<Account, Promise<string>>();

  /** At least one account. */
  constructor(accounts: readonly Account[], clock: () => number = () => Date.now()) {
    this.#accounts = accounts;
    this.#clock = clock;
  }

  async check(address: string, user: string, password: string): Promise<Verdict> {
    const digest = this.#digest(address, user, password).toString('base64');
    // A program's first requests often come at once: they are one try.
    const running = this.#underWay.get(digest);
    if (running !== undefined) return running;
    const verdict = this.#judge(address, user, password);
    this.#underWay.set(digest, verdict);
    return verdict.finally(() => this.#underWay.delete(digest));
  }

  async #judge(address: string, user: string, password: string): Promise<Verdict> {
    const waitMs = this.#throttle.waitMs(address, user, this.#clock());
    // Also where the password is known to be right: an answer would tell a guesser.
    if (waitMs > 0) return { kind: 'wait', waitMs };
    const digest = this.#digest(user, password).toString('base64');
    const known = this.#known.get(digest);
    if (known) return { kind: 'right', account: known };
    this.#throttle.begin(address, this.#clock());
    let outcome: 'right' | 'wrong' | 'not tried' = 'not tried';
    try {
      const account = await this.#gate.run(() => this.#find(user, password));
      if (account === undefined) return { kind: 'busy', waitMs: BUSY_MS };
      outcome = account === 'nobody' ? 'wrong' : 'right';
      if (account === 'nobody') return { kind: 'wrong' };
      this.#known.set(digest, account);
      return { kind: 'right', account };
    } finally {
      this.#throttle.end(address, user, outcome, this.#clock());
    }
  }

  async #find(user: string, password: string): Promise<Account | 'nobody'> {
    const named = this.#accounts.find(({ login }) => login.user === user);
    const account = named ?? this.#accounts[0];
    if (account === undefined) return 'nobody';
    const isRight = await isPassword(password, await this.#hashOf(account));
    return isRight && named !== undefined ? named : 'nobody';
  }

  #hashOf(account: Account): Promise<string> {
    const { login } = account;
    if ('passwordHash' in login) return Promise.resolve(login.passwordHash);
    // Beside a hashed one it must not be told by its quickness.
    const isAlone = this.#accounts.every((one) => 'password' in one.login);
    const hash =
      this.#hashes.get(account) ?? hashPassword(login.password, isAlone ? QUICK_COST : undefined);
    this.#hashes.set(account, hash);
    return hash;
  }
}
