import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatTable, isMet, median, type Row, ratioOf } from '../src/results.ts';

const row: Row = { workload: 'full-copy', measure: 'time', unit: 's', ours: 11 };
const curl = { name: 'curl', value: 10 };

describe('median', () => {
  it('is the middle, or the mean of the two in the middle', () => {
    expect(median([3])).toBe(3);
    expect(median([9, 1, 5])).toBe(5);
    expect(median([10, 2, 4, 8])).toBe(6);
    expect(() => median([])).toThrow('no median of nothing');
  });

  it('has as many values below as above, in whatever order they come', () => {
    fc.assert(
      fc.property(fc.array(fc.integer(), { minLength: 1 }), (values) => {
        const middle = median(values);
        const below = values.filter((value) => value < middle).length;
        const above = values.filter((value) => value > middle).length;
        expect(below).toBeLessThanOrEqual(values.length / 2);
        expect(above).toBeLessThanOrEqual(values.length / 2);
        expect(median(values.toReversed())).toBe(middle);
      }),
    );
  });
});

describe('isMet', () => {
  it('holds the ratio against the target where there is a yardstick, otherwise the figure', () => {
    expect(ratioOf({ ...row, yardstick: curl })).toBeCloseTo(1.1);
    expect(isMet({ ...row, yardstick: curl, target: 1.2 })).toBe(true);
    expect(isMet({ ...row, yardstick: curl, target: 1 })).toBe(false);
    expect(isMet({ ...row, target: 11 })).toBe(true);
    expect(isMet({ ...row, target: 10.9 })).toBe(false);
    expect(isMet({ ...row, yardstick: curl })).toBeUndefined();
  });
});

describe('formatTable', () => {
  it('lines up what is there and leaves open what is not', () => {
    const rows: Row[] = [
      { ...row, yardstick: curl, target: 1 },
      { ...row, workload: 'scattered', unit: 'MB', ours: 0.5, yardstick: curl, target: 0.05 },
      { workload: 'clean-check', measure: 'memory', unit: 'MiB', ours: 123.45, target: 400 },
      { workload: 'workers', measure: 'all', unit: 's', ours: 1 },
    ];
    expect(formatTable(rows).split('\n')).toEqual([
      'workload     measure  ours       yardstick     ratio     target     met',
      '-----------  -------  ---------  ------------  --------  ---------  ---',
      'full-copy    time     11.0 s     10.0 s curl   1.10 ×    ≤ 1 ×      NO',
      'scattered    time     0.50 MB    10.0 MB curl  0.0500 ×  ≤ 0.05 ×   yes',
      'clean-check  memory   123.5 MiB                          ≤ 400 MiB  yes',
      'workers      all      1.00 s',
    ]);
  });
});
