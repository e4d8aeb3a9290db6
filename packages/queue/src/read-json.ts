import type { z } from 'zod';

/** What a text in Redis says; undefined where there is none, or one that cannot be read. */
export function readJson<T>(text: string | null, schema: z.ZodType<T>): T | undefined {
  if (text === null) return undefined;
  try {
    return schema.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}
