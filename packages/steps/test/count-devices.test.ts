import { makeWindow } from '@vm-sync/core';
import { expect, test } from 'vitest';
import { countDevices } from '../src/index.ts';
import { FakeDatabase } from './fake-database.ts';

const window = makeWindow(0, 3_600_000);
const scope = [[{ label: '__name__', operator: '!=', value: '' }]] as const;
const timestamps = [60_000, 120_000, 4_000_000];

/** Two sites with six devices of four series each behind one collector, and a series of none; dr lacks a sample. */
function startPair(mostSeries?: number) {
  const options = mostSeries === undefined ? {} : { mostSeries };
  const source = new FakeDatabase('primary', options);
  const destination = new FakeDatabase('dr', options);
  for (const site of [source, destination]) {
    for (let at = 0; at < 24; at++) {
      const labels = { __name__: `metric_${at % 4}`, host: `device-${at % 6}`, n: `${at}` };
      const lost = site === destination && at === 13;
      site.store({ ...labels, instance: 'collector' }, lost ? [60_000] : timestamps);
    }
    site.store({ __name__: 'collector_up', instance: 'collector' }, timestamps);
  }
  return { source, destination, direction: { source: 'primary', destination: 'dr' } } as const;
}

test.each([
  ['at once', undefined],
  ['in parts, where a server allows no more', 5],
])('both sites are counted by the label that tells devices apart, %s', async (_, mostSeries) => {
  const table = await countDevices({ pair: startPair(mostSeries), scope, window });
  const whole = { series: 4, samples: 8 };
  expect(table).toMatchObject({
    fewer: 1,
    source: { series: 25, samples: 50 },
    destination: { series: 25, samples: 49 },
    rest: { devices: 0 },
  });
  expect(table.rows.map(({ label, name }) => `${label} ${name}`)).toEqual([
    'host device-1',
    '__name__ collector_up',
    ...['0', '2', '3', '4', '5'].map((at) => `host device-${at}`),
  ]);
  expect(table.rows[0]).toMatchObject({ source: whole, destination: { series: 4, samples: 7 } });
  expect(table.rows[2]).toMatchObject({ source: whole, destination: whole });
});

test('a failure is told, never counted as nothing', async () => {
  const pair = startPair();
  pair.destination.deviceCounts = async () => {
    throw new Error('dr answered 503');
  };
  await expect(countDevices({ pair, scope, window })).rejects.toThrow('dr answered 503');
});
