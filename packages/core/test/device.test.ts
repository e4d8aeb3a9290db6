import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type DeviceAmount, deviceGroups, deviceTable, meets, usefulLabels } from '../src/index.ts';

test('a label with one value for all names no device', () => {
  const valuesOf = { instance: ['collector:8888', 'collector:8888'], host: ['a', 'b'], job: ['x'] };
  expect(usefulLabels(valuesOf)).toEqual(['host']);
  expect(usefulLabels({})).toEqual([]);
});

test('every series of a selector is in exactly one group', () => {
  const value = fc.constantFrom('', 'a', 'b');
  const labels = fc.record({ __name__: value, instance: value, host: value, job: value });
  const chosen = fc.subarray(['instance', 'host', 'job']);
  fc.assert(
    fc.property(labels, chosen, (series, useful) => {
      const selector = [{ label: '__name__', operator: '!=', value: '' }] as const;
      const groups = deviceGroups(selector, useful).filter((group) =>
        meets(group.selector, series),
      );
      expect(groups.length).toBe(meets(selector, series) ? 1 : 0);
    }),
  );
});

const of = (name: string, samples: number, series = 1): DeviceAmount => ({
  label: 'instance',
  name,
  series,
  samples,
});

test('both sides stand side by side, those that differ first', () => {
  const table = deviceTable([of('a', 5), of('b', 7), of('b', 1)], [of('c', 2), of('b', 8, 2)]);
  expect(table.rows.map(({ name }) => name)).toEqual(['a', 'c', 'b']);
  expect(table.rows[0]).toMatchObject({
    source: { series: 1, samples: 5 },
    destination: { series: 0, samples: 0 },
  });
  expect(table.rows[2]).toMatchObject({ source: { series: 2, samples: 8 } });
  expect(table).toMatchObject({
    fewer: 1,
    rest: { devices: 0 },
    source: { series: 3, samples: 13 },
    destination: { series: 3, samples: 10 },
  });
});

test('however many devices there are, rows and rest add up to all', () => {
  const amounts = fc.array(
    fc.record({ name: fc.constantFrom(...'abcdefgh'), samples: fc.nat(3), series: fc.nat(3) }),
  );
  const side = amounts.map((all) => all.map((one) => ({ label: 'host', ...one })));
  fc.assert(
    fc.property(side, side, fc.nat(4), (source, destination, most) => {
      const table = deviceTable(source, destination, most);
      expect(table.rows.length).toBeLessThanOrEqual(most);
      const total = (all: readonly { samples: number }[]) =>
        all.reduce((sum, { samples }) => sum + samples, 0);
      for (const at of ['source', 'destination'] as const) {
        const rows = total(table.rows.map((row) => row[at]));
        expect(rows + table.rest[at].samples).toBe(table[at].samples);
      }
      expect(table.source.samples).toBe(total(source));
      expect(table.destination.samples).toBe(total(destination));
    }),
  );
});
