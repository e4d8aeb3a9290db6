import type { Selector } from './selector.ts';

/** Labels that name a device, the most telling first. */
export const DEVICE_LABELS = ['instance', 'device', 'host', 'job'] as const;

/** A device by the label that names it; the metric's name (`__name__`) stands for one where no such label does. */
export interface Device {
  readonly label: string;
  readonly name: string;
}

/** Series that have samples in a window, and how many samples. */
export interface Amount {
  readonly series: number;
  readonly samples: number;
}

export type DeviceAmount = Device & Amount;

/** What both sides of a direction hold of one device. */
export interface DeviceRow extends Device {
  readonly source: Amount;
  readonly destination: Amount;
}

/** What both sides hold, by device. */
export interface DeviceTable {
  /** Where they differ first, then by name. */
  readonly rows: readonly DeviceRow[];
  /** The devices that are not listed, together. */
  readonly rest: {
    readonly devices: number;
    readonly source: Amount;
    readonly destination: Amount;
  };
  readonly source: Amount;
  readonly destination: Amount;
  /** Devices of which the destination holds fewer samples than the source, among all. */
  readonly fewer: number;
}

/** A page that a person reads, and a document that is kept. */
const MOST_ROWS = 500;

/**
 * The labels to group by: a label with one value for all (the collector that everything came through) names no device.
 * `valuesOf` holds what either site has.
 */
export const usefulLabels = (valuesOf: Readonly<Record<string, readonly string[]>>): string[] =>
  DEVICE_LABELS.filter((label) => new Set(valuesOf[label] ?? []).size > 1);

/** The series of a selector that are grouped by one label. */
export interface DeviceGroup {
  readonly label: string;
  readonly selector: Selector;
}

/** Every series in one group: by the first of the labels that it has, or else by its metric's name. */
export function deviceGroups(selector: Selector, labels: readonly string[]): DeviceGroup[] {
  const without = (taken: readonly string[]): Selector =>
    taken.map((label) => ({ label, operator: '=', value: '' }));
  const groups = labels.map((label, at): DeviceGroup => {
    const has = { label, operator: '!=', value: '' } as const;
    return { label, selector: [...selector, ...without(labels.slice(0, at)), has] };
  });
  return [...groups, { label: '__name__', selector: [...selector, ...without(labels)] }];
}

const NOTHING: Amount = { series: 0, samples: 0 };

const sum = (a: Amount, b: Amount): Amount => ({
  series: a.series + b.series,
  samples: a.samples + b.samples,
});

const differs = ({ source, destination }: DeviceRow): boolean =>
  source.samples !== destination.samples || source.series !== destination.series;

/** Both sides' amounts side by side. A device may come several times, with other series each time: they are added up. */
export function deviceTable(
  source: Iterable<DeviceAmount>,
  destination: Iterable<DeviceAmount>,
  mostRows = MOST_ROWS,
): DeviceTable {
  const known = new Map<string, DeviceRow>();
  const add = (amounts: Iterable<DeviceAmount>, side: 'source' | 'destination') => {
    for (const { label, name, series, samples } of amounts) {
      const key = JSON.stringify([label, name]);
      const before = known.get(key) ?? { label, name, source: NOTHING, destination: NOTHING };
      known.set(key, { ...before, [side]: sum(before[side], { series, samples }) });
    }
  };
  add(source, 'source');
  add(destination, 'destination');
  const all = [...known.values()].sort(
    (a, b) =>
      Number(differs(b)) - Number(differs(a)) ||
      compare(a.label, b.label) ||
      compare(a.name, b.name),
  );
  const left = all.slice(mostRows);
  const totalOf = (rows: readonly DeviceRow[], side: 'source' | 'destination') =>
    rows.reduce((total, row) => sum(total, row[side]), NOTHING);
  return {
    rows: all.slice(0, mostRows),
    rest: {
      devices: left.length,
      source: totalOf(left, 'source'),
      destination: totalOf(left, 'destination'),
    },
    source: totalOf(all, 'source'),
    destination: totalOf(all, 'destination'),
    fewer: all.filter((row) => row.destination.samples < row.source.samples).length,
  };
}

/** By code units: the order of a kept document must not depend on a machine's language. */
const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/** A device's name for people; names of metrics are marked as such. */
export const deviceName = ({ label, name }: Device): string =>
  label === '__name__' ? `metric ${name}` : name;
