import { type Labels, meets, parseSelectors, type Selector } from '@vm-sync/core';
import { ChunkOrder } from '@vm-sync/queue';

/**
 * A job's order; undefined where it is none. Whoever reaches Redis can put one there: its selectors go into queries as they
 * stand, so each must be one selector and nothing beside it, and none may copy what vm-sync says of itself to the other site.
 */
export function readOrder(data: unknown): ChunkOrder | undefined {
  const order = ChunkOrder.safeParse(data).data;
  return order?.chunk.selectors.every(isOneOfData) ? order : undefined;
}

function isOneOfData(text: string): boolean {
  try {
    const [selector = [], ...more] = parseSelectors(text);
    return more.length === 0 && !OWN.some((labels) => meets(known(selector), labels));
  } catch {
    return false;
  }
}

/** Of the series that tell whose database it is, and who repairs. */
const OWN: readonly Labels[] = ['vmsync_identity', 'vmsync_heartbeat'].flatMap((name) =>
  ['primary', 'dr'].map((site) => ({ __name__: name, site })),
);

/** Without the pair's name, which whoever forges an order may know, and this program does not. */
const known = (selector: Selector): Selector => selector.filter(({ label }) => label !== 'pair');
