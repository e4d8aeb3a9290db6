import { describe, expect, it } from 'vitest';
import { generateLines, type LeftOut, type Shape, samplesOf } from '../src/generate.ts';

const shape: Shape = {
  series: 250,
  fromMs: 1_700_000_000_000,
  toMs: 1_700_003_600_000,
  stepMs: 15_000,
};

interface Line {
  readonly metric: Record<string, string>;
  readonly values: number[];
  readonly timestamps: number[];
}

const generate = (leftOut?: LeftOut): Line[] =>
  Buffer.concat([...generateLines(shape, leftOut)])
    .toString()
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));

describe('generateLines', () => {
  it('gives every series a sample in every step, in order, within the window', () => {
    const lines = generate();
    expect(lines).toHaveLength(shape.series);
    expect(new Set(lines.map(({ metric }) => JSON.stringify(metric))).size).toBe(shape.series);
    const counts = lines.map(({ timestamps }) => timestamps.length);
    expect(counts.reduce((sum, count) => sum + count, 0)).toBe(samplesOf(shape));
    for (const { timestamps, values } of lines) {
      expect(values).toHaveLength(timestamps.length);
      const steps = timestamps.map((time) => Math.ceil((time - shape.fromMs) / shape.stepMs));
      expect(steps).toEqual(steps.map((_, at) => at + 1));
    }
  });

  it('gives each target its own moment, and the same data every time', () => {
    const lines = generate();
    const moments = lines.map(({ timestamps }) => (timestamps[0] ?? 0) - shape.fromMs);
    expect(new Set(moments).size).toBe(3);
    expect(generate()).toEqual(lines);
  });

  it('lets counters only grow and gauges waver', () => {
    for (const { metric, values } of generate()) {
      const grows = values.every((value, at) => value >= (values[at - 1] ?? 0));
      if (metric['__name__']?.endsWith('_total')) expect(grows).toBe(true);
      else expect(values.some((value) => !Number.isInteger(value))).toBe(true);
    }
  });

  it('leaves out what it is told to, and nothing else changes', () => {
    const middleMs = shape.fromMs + 1_800_000;
    const lines = generate((series, time) => series === 7 || (series % 2 === 0 && time > middleMs));
    const whole = generate().filter((_, series) => series !== 7);
    expect(lines).toHaveLength(whole.length);
    for (const [at, { timestamps, values, metric }] of lines.entries()) {
      const full = whole[at] as Line;
      const series = at < 7 ? at : at + 1;
      const kept = full.timestamps.flatMap((time, index) =>
        series % 2 === 0 && time > middleMs ? [] : [index],
      );
      expect(metric).toEqual(full.metric);
      expect(timestamps).toEqual(kept.map((index) => full.timestamps[index]));
      expect(values).toEqual(kept.map((index) => full.values[index]));
    }
  });
});
