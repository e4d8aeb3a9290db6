import { until, type Webhook } from '@vm-sync/testkit';
import { expect } from 'vitest';

interface Message {
  readonly id: string;
  readonly event: string;
  readonly at: string;
  readonly text: string;
}

/** What was told, each message once: one whose delivery was cut off comes again, by the same id. */
function told({ messages }: Webhook): Message[] {
  const byId = new Map(messages.map(({ json }) => [(json as Message).id, json as Message]));
  return [...byId.values()];
}

/** Of each of these pairs the one ends what the other began: told twice in a row, one was told twice. */
const pairs = [
  ['gap-detected', 'sync-complete'],
  ['failback-ready', 'ready-withdrawn'],
  ['check-unknown', 'sites-reached'],
];

export const untilToldReady = (webhook: Webhook): Promise<unknown> =>
  until('READY to be told', () =>
    told(webhook)
      .filter(({ event }) => /ready/.test(event))
      .at(-1)
      ?.event.startsWith('failback'),
  );

/** Gaps, or everything that comes and goes. */
export type Unpaired = 'gaps' | 'all';

/** `unpaired`: of what the end may be missing between two beginnings. */
export function assertToldOnce(webhook: Webhook, unpaired: Unpaired | undefined): void {
  const all = told(webhook);
  const texts = all.map(({ event, at, text }) => `${event} at ${at}: ${text}`);
  expect(new Set(texts).size).toBe(texts.length);
  const paired = unpaired === undefined ? pairs : unpaired === 'gaps' ? pairs.slice(1) : [];
  for (const pair of paired) {
    const kinds = all.map(({ event }) => event).filter((event) => pair.includes(event));
    const twice = kinds.filter((kind, at) => kind === kinds[at - 1]);
    expect({ pair, twice, texts: twice.length > 0 ? texts : [] }).toEqual({
      pair,
      twice: [],
      texts: [],
    });
  }
}
