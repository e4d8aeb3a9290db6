import { type DeviceAmount, VmSyncError, type Window } from '@vm-sync/core';
import type { Endpoint } from './endpoint.ts';
import { GridReader } from './grid.ts';
import { queryRange, unionOf } from './query.ts';
import { AnsweredSeries } from './series.ts';
import { duration } from './time.ts';

/** Groups of series, each with the label whose values divide it, and the window in which they are counted. */
export interface DeviceCountsRequest {
  readonly groups: readonly { readonly label: string; readonly selector: string }[];
  readonly window: Window;
  readonly signal?: AbortSignal | undefined;
}

/** More are no list that a person reads, and would have to be held in memory. */
const DEVICES_MOST = 20_000;

const WHAT = 'vmsync_count';
const BY = 'vmsync_by';

/**
 * How many series with samples in the window, and how many samples, each value of a group's label has. The server sums
 * up, so an answer is as long as there are devices. Throws a `final` error where there are too many of them.
 */
export async function deviceCounts(
  endpoint: Endpoint,
  { groups, window, signal }: DeviceCountsRequest,
): Promise<DeviceAmount[]> {
  const stepMs = window.toMs - window.fromMs;
  const grid = new GridReader({ window, stepMs });
  const answer = queryRange(
    endpoint,
    unionOf(groups.flatMap((group) => bothCounts(group, duration(stepMs)))),
    { window, stepMs, signal },
    ({ metric, values }) => ({
      labels: new AnsweredSeries(endpoint, metric).labels,
      amount: grid.read(values)[0] ?? 0,
    }),
  );
  const found = new Map<string, DeviceAmount>();
  const asked = new Set(groups.map(({ label }) => label));
  for await (const part of answer) {
    for (const { labels, amount } of part) {
      const { [BY]: label = '', [WHAT]: what = '' } = labels;
      const name = asked.has(label) && Object.hasOwn(labels, label) ? labels[label] : undefined;
      if (name === undefined || (what !== 'series' && what !== 'samples')) {
        throw endpoint.strange('query', 'counts of something else than was asked for');
      }
      const key = JSON.stringify([label, name]);
      const before = found.get(key) ?? { label, name, series: 0, samples: 0 };
      found.set(key, { ...before, [what]: amount });
    }
    if (found.size > DEVICES_MOST) {
      throw new VmSyncError('final', `${endpoint.site} has more than ${DEVICES_MOST} devices`);
    }
  }
  return [...found.values()];
}

/** Results that differ in no label would be one and the same to `union`. */
function bothCounts(
  { label, selector }: DeviceCountsRequest['groups'][number],
  window: string,
): string[] {
  const counted = `count_over_time(${selector}[${window}]) keep_metric_names`;
  return [
    `label_set(sum(${counted}) by (${label}),"${WHAT}","samples","${BY}","${label}")`,
    `label_set(count(${counted}) by (${label}),"${WHAT}","series","${BY}","${label}")`,
  ];
}
