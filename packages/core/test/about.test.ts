import { describe, expect, test } from 'vitest';
import { ABOUT_MOST, aboutSeries } from '../src/index.ts';

const up = (labels: Record<string, string> = {}) => ({ __name__: 'up', ...labels });

describe('what series are about', () => {
  test('is the device that all of them name, before the instance, the metric and the job', () => {
    const labels = { device: 'bigip-07', instance: '10.0.0.7:443', job: 'bigip' };
    expect(aboutSeries([up(labels), { ...labels, __name__: 'down' }])).toBe('bigip-07');
    expect(aboutSeries([up({ ...labels, device: 'a' }), up({ ...labels, device: 'b' })])).toBe(
      '10.0.0.7:443',
    );
    const { job } = labels;
    expect(aboutSeries([up({ instance: 'a', job }), up({ instance: 'b', job })])).toBe('up');
    expect(aboutSeries([up({ job }), { __name__: 'down', job }])).toBe('bigip');
  });

  test('is nothing where they share nothing, also where one of them lacks the label', () => {
    expect(aboutSeries([])).toBeUndefined();
    expect(aboutSeries([up({ device: 'a' }), { __name__: 'down' }])).toBeUndefined();
    expect(aboutSeries([{ constructor: 'x' }])).toBeUndefined();
  });

  test('is short, on one line, and rewrites nothing around it', () => {
    const about = (device: string) => aboutSeries([up({ device })]);
    expect(about('a\u202eb\u0000c\u001b[31m\nd\u200b')).toBe('a b c [31m d');
    // Nothing of it can be seen: the metric's name says more.
    expect(about('\u0007\u200f')).toBe('up');
    const long = about('ü'.repeat(500));
    expect(long).toBe(`${'ü'.repeat(ABOUT_MOST - 1)}…`);
    expect([...(about('😀'.repeat(500)) ?? '')]).toHaveLength(ABOUT_MOST);
  });
});
