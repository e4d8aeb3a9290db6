import {
  DEVICE_LABELS,
  type DeviceAmount,
  type DeviceTable,
  deviceGroups,
  deviceTable,
  formatSelector,
  lengthMs,
  type Selector,
  usefulLabels,
  type Window,
} from '@vm-sync/core';
import { inParts } from './in-parts.ts';
import type { Pair } from './ports.ts';

/** What is counted: a scope's series, all of one window at once. */
export interface DeviceQuestion {
  readonly pair: Pair;
  readonly scope: readonly Selector[];
  readonly window: Window;
  readonly signal?: AbortSignal | undefined;
}

/** Counts both sites' series and samples by device. It proves nothing, and every failure is its caller's to bear. */
export async function countDevices(question: DeviceQuestion): Promise<DeviceTable> {
  const { pair, scope, window, signal } = question;
  const labels = await labelsToGroupBy(question);
  const source: DeviceAmount[] = [];
  const destination: DeviceAmount[] = [];
  for (const selector of scope) {
    // One bucket as wide as the window: series may be divided, time may not, or they would count twice.
    const whole = { pair, selector, window, stepMs: lengthMs(window), signal };
    const parts = inParts(whole, (part) => {
      const groups = deviceGroups(part, labels).map((group) => ({
        label: group.label,
        selector: formatSelector(group.selector),
      }));
      const request = { groups, window, signal };
      return Promise.all([
        pair.source.deviceCounts(request),
        pair.destination.deviceCounts(request),
      ]);
    });
    for await (const [there, here] of parts) {
      source.push(...there);
      destination.push(...here);
    }
  }
  return deviceTable(source, destination);
}

async function labelsToGroupBy({ pair, scope, window, signal }: DeviceQuestion): Promise<string[]> {
  const valuesOf: Record<string, string[]> = {};
  for (const label of DEVICE_LABELS) {
    const lists = await Promise.all(
      [pair.source, pair.destination].flatMap((site) =>
        scope.map((selector) =>
          site.labelValues(label, { selector: formatSelector(selector), window, signal }),
        ),
      ),
    );
    valuesOf[label] = lists.flat();
  }
  return usefulLabels(valuesOf);
}
