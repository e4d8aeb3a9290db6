import { randomUUID } from 'node:crypto';
import { type ChunkRates, type FinishedChunk, NO_RATES, type SyncState } from '@vm-sync/core';
import type { z } from 'zod';
import type { connect } from './connection.ts';
import { noneOfWrongKind, readJson } from './read-json.ts';
import {
  ChunkRatesSchema,
  EventRecord,
  FinishedChunkSchema,
  RunRecord,
  Status,
  SyncStateSchema,
} from './schemas.ts';

type Client = ReturnType<typeof connect>;

const KEYS = {
  name: '{vmsync}:name',
  state: '{vmsync}:state',
  status: '{vmsync}:status',
  runs: '{vmsync}:runs',
  runOrder: '{vmsync}:runs-by-time',
  events: '{vmsync}:events',
  rates: '{vmsync}:rates',
  noted: '{vmsync}:noted',
} as const;

const finishedKey = (runId: string): string => `{vmsync}:finished:${runId}`;

/** A run that is not dropped before may be looked at for so long. */
const FINISHED_KEPT_S = 86_400;

/** What was told once of a run is not told again within this time; no run takes longer. */
const NOTED_S = 60 * 86_400;

const RUNS_KEPT = 200;
const EVENTS_KEPT = 500;

/** What vm-sync keeps in Redis beside its queues. What cannot be read is set aside under another name, never used. */
export class Store {
  readonly #redis: Client;
  readonly #onDamaged: (message: string) => void;

  constructor(redis: Client, onDamaged: (message: string) => void) {
    this.#redis = redis;
    this.#onDamaged = onDamaged;
  }

  loadState(): Promise<SyncState | undefined> {
    return this.#read(KEYS.state, SyncStateSchema);
  }

  async saveState(state: SyncState): Promise<void> {
    await this.#redis.set(KEYS.state, JSON.stringify(state));
  }

  /** A name that this Redis is given at first sight and keeps until it is wiped. */
  async name(): Promise<string> {
    await this.#redis.set(KEYS.name, randomUUID(), 'NX');
    return (await this.#redis.get(KEYS.name)) ?? this.name();
  }

  loadStatus(): Promise<Status | undefined> {
    return this.#read(KEYS.status, Status);
  }

  async saveStatus(status: Status): Promise<void> {
    await this.#redis.set(KEYS.status, JSON.stringify(status));
  }

  async saveRun(run: RunRecord): Promise<void> {
    await this.#redis.hset(KEYS.runs, run.id, JSON.stringify(run));
    await this.#redis.zadd(KEYS.runOrder, run.createdMs, run.id);
    await this.#dropOldRuns();
  }

  /** However old it is, a run that waits for a person (or was paused) is not forgotten. */
  async #dropOldRuns(): Promise<void> {
    const ids = await this.#redis.zrange(KEYS.runOrder, 0, String(-RUNS_KEPT - 1));
    if (ids.length === 0) return;
    const runs = await Promise.all(ids.map((id) => this.loadRun(id)));
    const old = ids.filter((_, at) => !isUnfinishedRun(runs[at]));
    if (old.length === 0) return;
    await this.#redis.hdel(KEYS.runs, ...old);
    await this.#redis.zrem(KEYS.runOrder, ...old);
    await Promise.all(old.map((id) => this.#redis.unlink(finishedKey(id))));
  }

  async loadRun(id: string): Promise<RunRecord | undefined> {
    return this.#parseRun(id, await this.#redis.hget(KEYS.runs, id));
  }

  /** The newest runs, newest first. */
  async listRuns(most: number): Promise<RunRecord[]> {
    const ids = await this.#redis.zrange(KEYS.runOrder, 0, String(most - 1), 'REV');
    if (ids.length === 0) return [];
    const texts = await this.#redis.hmget(KEYS.runs, ...ids);
    const runs: RunRecord[] = [];
    for (const [at, text] of texts.entries()) {
      const run = await this.#parseRun(ids[at] as string, text);
      if (run) runs.push(run);
    }
    return runs;
  }

  /** The runs that are open or paused, and those that were cancelled and may still copy something; newest first, however old. */
  async unsettledRuns(): Promise<RunRecord[]> {
    return (await this.allRuns()).filter(
      (run) => isUnfinishedRun(run) || (run.state === 'cancelled' && run.settledMs === null),
    );
  }

  /** The runs of a backfill that are remembered, newest first. */
  async runsOf(backfillId: string): Promise<RunRecord[]> {
    return (await this.allRuns()).filter((run) => run.backfillId === backfillId);
  }

  /** Every run that is remembered, newest first. */
  async allRuns(): Promise<RunRecord[]> {
    const known = await this.#redis.zcard(KEYS.runOrder);
    return known === 0 ? [] : this.listRuns(known);
  }

  /** Notes that a chunk of a run is done; noted again (a job may run twice) it counts once. True when it is new. */
  async countChunk(runId: string, jobId: string, chunk: FinishedChunk): Promise<boolean> {
    const added = await this.#redis.hset(finishedKey(runId), jobId, JSON.stringify(chunk));
    await this.#redis.expire(finishedKey(runId), FINISHED_KEPT_S);
    return added > 0;
  }

  /** The chunks of a run that are done, in no order. They are for showing: what cannot be read is left out. */
  async finishedChunks(runId: string): Promise<FinishedChunk[]> {
    return [...(await this.finishedByJob(runId)).values()];
  }

  /** The same by the names of their jobs. */
  async finishedByJob(runId: string): Promise<ReadonlyMap<string, FinishedChunk>> {
    const known = await this.#redis.hgetall(finishedKey(runId)).catch(noneOfWrongKind);
    const texts = Object.entries(known ?? {});
    return new Map(
      texts.flatMap(([jobId, text]) => {
        const chunk = this.#parse(`a chunk of run ${runId}`, text, FinishedChunkSchema);
        return chunk ? [[jobId, chunk] as const] : [];
      }),
    );
  }

  /** How fast chunks have been; without experience where nothing is known. */
  async loadRates(): Promise<ChunkRates> {
    return (await this.#read(KEYS.rates, ChunkRatesSchema)) ?? NO_RATES;
  }

  async saveRates(rates: ChunkRates): Promise<void> {
    await this.#redis.set(KEYS.rates, JSON.stringify(rates));
  }

  async addEvent(event: EventRecord): Promise<void> {
    await this.#redis.lpush(KEYS.events, JSON.stringify(event));
    await this.#redis.ltrim(KEYS.events, 0, EVENTS_KEPT - 1);
  }

  /** True at the first time that this is noted, and false ever after. */
  async noteOnce(what: string): Promise<boolean> {
    const set = await this.#redis.set(`${KEYS.noted}:${what}`, '1', 'EX', NOTED_S, 'NX');
    return set === 'OK';
  }

  /** The newest events, newest first. */
  async listEvents(most: number): Promise<EventRecord[]> {
    const texts = await this.#redis.lrange(KEYS.events, 0, most - 1);
    const events: EventRecord[] = [];
    for (const text of texts) {
      const event = this.#parse('an event', text, EventRecord);
      if (event) events.push(event);
      else await this.#moveEventAside(text);
    }
    return events;
  }

  async #read<T>(key: string, schema: z.ZodType<T>): Promise<T | undefined> {
    const text = await this.#redis.get(key);
    const value = this.#parse(key, text, schema);
    if (text !== null && value === undefined) await this.#redis.rename(key, `${key}:damaged`);
    return value;
  }

  async #parseRun(id: string, text: string | null): Promise<RunRecord | undefined> {
    const run = this.#parse(`run ${id}`, text, RunRecord);
    if (run || text === null) return run;
    await this.#redis.hset(`${KEYS.runs}:damaged`, id, text);
    await this.#redis.hdel(KEYS.runs, id);
    await this.#redis.zrem(KEYS.runOrder, id);
    return undefined;
  }

  async #moveEventAside(text: string): Promise<void> {
    await this.#redis.lpush(`${KEYS.events}:damaged`, text);
    await this.#redis.lrem(KEYS.events, 0, text);
  }

  #parse<T>(what: string, text: string | null, schema: z.ZodType<T>): T | undefined {
    if (text === null) return undefined;
    const value = readJson(text, schema);
    if (value !== undefined) return value;
    this.#onDamaged(`${what} in Redis cannot be read and is set aside`);
    return undefined;
  }
}

export const isUnfinishedRun = (run: RunRecord | undefined): boolean =>
  run?.state === 'open' || run?.state === 'paused';
