import { formatDirection, formatWindow } from '@vm-sync/core';
import { ChunkOrder } from '@vm-sync/queue';

const SELECTORS_SHOWN = 5;

/** A chunk's order as the board shows it: what a person asks for, in few lines. Strange data is shown as it is. */
export function shownData(data: unknown): unknown {
  const order = ChunkOrder.safeParse(data).data;
  if (!order) return data;
  const { about, window, series, samples, selectors } = order.chunk;
  const more = selectors.length - SELECTORS_SHOWN;
  return {
    direction: `${formatDirection(order.direction)}${order.recovery ? ', recovery' : ''}`,
    window: formatWindow(window),
    ...(about === undefined ? {} : { about }),
    series,
    samples,
    selectors: [
      ...selectors.slice(0, SELECTORS_SHOWN),
      ...(more > 0 ? [`… and ${more} more`] : []),
    ],
    run: order.runId,
  };
}
