import { z } from 'zod';

/** Forms send their empty fields too. */
const optionalText = z
  .string()
  .trim()
  .optional()
  .transform((text) => text || undefined);

/** Which failed chunks are meant: all of them where nothing is named. Unknown fields are refused. */
export const RetryRequest = z.strictObject({
  run: optionalText,
  direction: z
    .union([z.enum(['primary-to-dr', 'dr-to-primary']), z.literal('').transform(() => undefined)])
    .optional(),
  /** A part of the error's text. */
  error: optionalText,
});
export type RetryRequest = z.infer<typeof RetryRequest>;

/** A stuck gap by its name, or `all`. */
export const AcknowledgeRequest = z.strictObject({ gap: z.string().trim().min(1) });

/** The site whose VM is the right one, as a script or a form says it. */
export const AcceptRequest = z.strictObject({ site: z.enum(['primary', 'dr']) });
