import { z } from 'zod';
import type { connect } from './connection.ts';
import type { ChunkResult, Status } from './schemas.ts';

type Client = ReturnType<typeof connect>;

const KEYS = { checks: '{vmsync}:totals:checks', chunks: '{vmsync}:totals:chunks' } as const;

export type CheckOutcome = Status['outcome'];
export const CHECK_OUTCOMES: readonly CheckOutcome[] = ['clean', 'gaps', 'unknown'];

/** How a chunk that counts has ended; a cancelled one does not count. */
export type ChunkOutcome = Exclude<ChunkResult['outcome'], 'cancelled'>;
export const CHUNK_OUTCOMES: readonly ChunkOutcome[] = ['repaired', 'already-there'];

/** From a chunk that found everything there to one that a slow link and a small budget stretch to half an hour. */
export const DURATION_BOUNDS_MS: readonly number[] = [
  100, 500, 1_000, 2_500, 5_000, 10_000, 30_000, 60_000, 120_000, 300_000, 600_000, 1_800_000,
];

/** How long chunks took, their last try: as many as lie within each bound, the shorter ones among them. */
export interface Durations {
  readonly within: readonly { readonly boundMs: number; readonly chunks: number }[];
  readonly chunks: number;
  readonly sumMs: number;
}

/** What was counted since this Redis is there; nothing in it ever falls, but with Redis. */
export interface TotalsView {
  readonly checks: Readonly<Record<CheckOutcome, number>>;
  readonly durations: Readonly<Record<ChunkOutcome, Durations>>;
  /** Sent to a destination by chunks that are done. */
  readonly bytes: number;
}

const Counts = z.record(z.string(), z.coerce.number().int().min(0));

/** What only ever grows, for rates and alerts. It is kept in Redis alone: where that is lost, counting begins anew. */
export class Totals {
  readonly #redis: Client;

  constructor(redis: Client) {
    this.#redis = redis;
  }

  async addCheck(outcome: CheckOutcome): Promise<void> {
    await this.#redis.hincrby(KEYS.checks, outcome, 1);
  }

  async addChunk({ outcome, tookMs, bytes }: ChunkResult): Promise<void> {
    if (outcome === 'cancelled') return;
    const bound = DURATION_BOUNDS_MS.find((boundMs) => tookMs <= boundMs);
    await this.#redis
      .multi()
      .hincrby(KEYS.chunks, `${outcome}:within:${bound ?? 'any'}`, 1)
      .hincrby(KEYS.chunks, `${outcome}:sumMs`, Math.round(tookMs))
      .hincrby(KEYS.chunks, 'bytes', Math.round(bytes))
      .exec();
  }

  /** Undefined when what stands in Redis is not what was written there. */
  async load(): Promise<TotalsView | undefined> {
    const [checks, chunks] = await Promise.all([
      this.#redis.hgetall(KEYS.checks),
      this.#redis.hgetall(KEYS.chunks),
    ]);
    const counted = z.object({ checks: Counts, chunks: Counts }).safeParse({ checks, chunks }).data;
    if (!counted) return undefined;
    return {
      checks: byName(CHECK_OUTCOMES, (outcome) => counted.checks[outcome] ?? 0),
      durations: byName(CHUNK_OUTCOMES, (outcome) => durationsOf(counted.chunks, outcome)),
      bytes: counted.chunks['bytes'] ?? 0,
    };
  }
}

function durationsOf(counts: Readonly<Record<string, number>>, outcome: ChunkOutcome): Durations {
  const countOf = (bound: number | 'any') => counts[`${outcome}:within:${bound}`] ?? 0;
  let chunks = 0;
  const within = DURATION_BOUNDS_MS.map((boundMs) => {
    chunks += countOf(boundMs);
    return { boundMs, chunks };
  });
  return { within, chunks: chunks + countOf('any'), sumMs: counts[`${outcome}:sumMs`] ?? 0 };
}

const byName = <Name extends string, T>(
  names: readonly Name[],
  of: (name: Name) => T,
): Record<Name, T> => Object.fromEntries(names.map((name) => [name, of(name)])) as Record<Name, T>;
