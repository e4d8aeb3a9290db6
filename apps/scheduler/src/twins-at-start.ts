import { type SyncEvent, type TwinFinding, tell } from '@vm-sync/core';
import type { Logger } from '@vm-sync/runtime';

/**
 * Logs what stands in the way of the sites being equal once in every process, when both have first answered. As an event
 * it is told only when it is new; but whoever starts vm-sync after a change wants to read whether it helped.
 */
export class TwinsAtStart {
  #said = false;

  say(log: Logger, twins: readonly TwinFinding[] | undefined, events: readonly SyncEvent[]): void {
    if (this.#said || !twins) return;
    this.#said = true;
    if (twins.length === 0) log.info('settings and clocks of both sites agree, as far as known');
    for (const finding of twins) {
      const told = events.some(
        (event) => event.kind === 'twins-differ' && event.finding.key === finding.key,
      );
      if (!told) log.warn(tell({ kind: 'twins-differ', finding }).text);
    }
  }
}
