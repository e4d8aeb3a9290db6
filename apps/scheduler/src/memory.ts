import { EMPTY_STATE, errorText, type SyncState } from '@vm-sync/core';
import type { Store } from '@vm-sync/queue';
import { type Logger, readStateFile, setStateFileAside, writeStateFile } from '@vm-sync/runtime';

export interface Remembered {
  readonly state: SyncState;
  /**
   * True when Redis knew nothing although the state file does: it was wiped, and work may have been lost with it. Stays
   * so until `forgetWipe`.
   */
  readonly redisWasWiped: boolean;
}

/** The remembered state in its two places: either may be lost, the newer one counts. */
export class Memory {
  readonly #store: Store;
  readonly #file: string;
  readonly #log: Logger;
  #redisWasWiped = false;
  #nameOfRedis: string | undefined;

  constructor(store: Store, file: string, log: Logger) {
    this.#store = store;
    this.#file = file;
    this.#log = log;
  }

  async load(): Promise<Remembered> {
    const name = await this.#store.name();
    const [inRedis, inFile] = await Promise.all([this.#store.loadState(), this.#fromFile()]);
    const state = newer(inRedis, inFile) ?? EMPTY_STATE;
    // Also a Redis that was wiped while a check ran, and has been given that check's state since.
    if (this.#nameOfRedis !== undefined && this.#nameOfRedis !== name) this.#redisWasWiped = true;
    if (inRedis === undefined && inFile !== undefined) this.#redisWasWiped = true;
    this.#nameOfRedis = name;
    return { state, redisWasWiped: this.#redisWasWiped };
  }

  /** True when Redis is not the one any more that `load` last read from: what it says now does not fit to that. */
  async wasWipedSince(): Promise<boolean> {
    return (await this.#store.name()) !== this.#nameOfRedis;
  }

  /** The file first: it is what outlives the other. */
  async save(state: SyncState): Promise<void> {
    await writeStateFile(this.#file, state);
    await this.#store.saveState(state);
  }

  /** To be called when what was lost has been planned again. */
  forgetWipe(): void {
    this.#redisWasWiped = false;
  }

  async #fromFile(): Promise<SyncState | undefined> {
    try {
      return await readStateFile(this.#file);
    } catch (error) {
      const aside = await setStateFileAside(this.#file, Date.now());
      this.#log.error({ aside }, `${errorText(error)}; set aside as ${aside}`);
      return undefined;
    }
  }
}

function newer(a: SyncState | undefined, b: SyncState | undefined): SyncState | undefined {
  if (!a || !b) return a ?? b;
  return (a.lastCheckMs ?? 0) >= (b.lastCheckMs ?? 0) ? a : b;
}
