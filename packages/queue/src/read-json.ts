import type { z } from 'zod';

/** True for the error of a command on a key that holds another kind of value than the command is for. */
const isWrongKind = (error: unknown): boolean =>
  error instanceof Error && error.message.startsWith('WRONGTYPE');

/** A value of another kind is one that cannot be read, as good as none. */
export const noneOfWrongKind = (error: unknown): null => {
  if (isWrongKind(error)) return null;
  throw error;
};

/** What a text in Redis says; undefined where there is none, or one that cannot be read. */
export function readJson<T>(text: string | null, schema: z.ZodType<T>): T | undefined {
  if (text === null) return undefined;
  try {
    return schema.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}
