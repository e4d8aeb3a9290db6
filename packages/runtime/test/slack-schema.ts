import { z } from 'zod';

/** Slack's block limits, as its Block Kit reference states them; strict, so that a field that it does not know fails. */
const mrkdwn = (most: number) =>
  z.strictObject({
    type: z.literal('mrkdwn'),
    text: z
      .string()
      .min(1)
      .max(most)
      // Only `&amp;`, `&lt;` and `&gt;` may stand for the three signs that control its markup.
      .refine((text) => !/[<>]|&(?!(?:amp|lt|gt);)/.test(text), 'not escaped'),
    verbatim: z.boolean().optional(),
  });

const section = z.strictObject({ type: z.literal('section'), text: mrkdwn(3_000) });

const context = z.strictObject({
  type: z.literal('context'),
  elements: z.array(mrkdwn(3_000)).min(1).max(10),
});

export const SlackMessage = z.strictObject({
  /** Longer ones are cut by Slack at 40,000, and split for people at 4,000. */
  text: z.string().min(1).max(4_000),
  blocks: z
    .array(z.union([section, context]))
    .min(1)
    .max(50),
});
