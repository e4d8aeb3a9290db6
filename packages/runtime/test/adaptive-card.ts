import { createRequire } from 'node:module';
import { z } from 'zod';

interface ParseContext {
  readonly eventCount: number;
  getEventAt(at: number): { readonly message: string };
}

interface CardLibrary {
  readonly SerializationContext: new (version: unknown) => ParseContext;
  readonly AdaptiveCard: new () => {
    parse(source: unknown, context: ParseContext): void;
    toJSON(): unknown;
  };
  readonly Versions: { readonly v1_4: unknown };
}

// Microsoft's own parser; its types want a browser.
const library: CardLibrary = createRequire(import.meta.url)('adaptivecards/dist/adaptivecards.js');

/** What a Teams workflow takes: one card in an envelope. */
export const TeamsMessage = z.strictObject({
  type: z.literal('message'),
  attachments: z.tuple([
    z.strictObject({
      contentType: z.literal('application/vnd.microsoft.card.adaptive'),
      content: z.looseObject({
        $schema: z.literal('http://adaptivecards.io/schemas/adaptive-card.json'),
        type: z.literal('AdaptiveCard'),
        version: z.literal('1.4'),
        body: z.array(z.looseObject({ type: z.string(), text: z.string() })),
      }),
    }),
  ]),
});

/** What the parser of Adaptive Cards, at version 1.4, has against a card; what it understood of it comes back. */
export function parseCard(card: unknown): { faults: string[]; understood: unknown } {
  const context = new library.SerializationContext(library.Versions.v1_4);
  const parsed = new library.AdaptiveCard();
  parsed.parse(card, context);
  const faults = Array.from(
    { length: context.eventCount },
    (_, at) => context.getEventAt(at).message,
  );
  return { faults, understood: parsed.toJSON() };
}
