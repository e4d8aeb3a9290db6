import type { GapMap, GapMaps } from '@vm-sync/core';
import { z } from 'zod';
import type { connect } from './connection.ts';
import { readJson } from './read-json.ts';

type Client = ReturnType<typeof connect>;

const KEY = '{vmsync}:gap-maps';

const ms = z.number().int().min(0).max(8.64e15);
const amounts = z.array(z.number().min(0));

const gapMap: z.ZodType<GapMap> = z
  .object({
    atMs: ms,
    direction: z.enum(['primary-to-dr', 'dr-to-primary']),
    label: z.string().min(1),
    basis: z.enum(['group', 'affected']),
    fromMs: ms,
    columnMs: z.number().int().min(1),
    columns: z.number().int().min(1).max(1_000),
    rows: z
      .array(z.object({ group: z.string().nullable(), expected: amounts, missing: amounts }))
      .max(1_000),
  })
  .refine(
    ({ rows, columns }) =>
      rows.every((row) => row.expected.length === columns && row.missing.length === columns),
    'every row must have a number for each column',
  );

const GapMapsSchema: z.ZodType<GapMaps> = z.object({
  before: gapMap.nullable(),
  now: gapMap.nullable(),
  checkedMs: ms,
  sinceMs: ms.nullable(),
});

/** The gap maps: what was missing when it was found, and what is missing now. */
export class GapMapStore {
  readonly #redis: Client;

  constructor(redis: Client) {
    this.#redis = redis;
  }

  async save(maps: GapMaps): Promise<void> {
    await this.#redis.set(KEY, JSON.stringify(maps));
  }

  /** Undefined before the first check; maps are for showing: what cannot be read is as good as none. */
  async load(): Promise<GapMaps | undefined> {
    return readJson(await this.#redis.get(KEY), GapMapsSchema);
  }
}
