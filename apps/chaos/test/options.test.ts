import { expect, test } from 'vitest';
import { parseOptions, UsageError } from '../src/options.ts';

test('seeds come one by one, or from one to another', () => {
  expect(parseOptions(['--seed', '7', '--seed', '10-12', '--minutes', '0.5'])).toEqual({
    seeds: [7, 10, 11, 12],
    lengthMs: 30_000,
    parallel: 1,
    verbose: false,
  });
});

test('without a seed there is one of its own', () => {
  const { seeds, lengthMs } = parseOptions(['--', '--parallel', '2']);
  expect(seeds).toHaveLength(1);
  expect(lengthMs).toBe(5 * 60_000);
});

test.each([
  [['--seed', 'x'], '--seed cannot be "x"'],
  [['--seed', '9-7'], '--seed cannot be "9-7"'],
  [['--seed', '1-100000'], '--seed cannot be "1-100000"'],
  [['--minutes', '0'], '--minutes cannot be "0"'],
  [['--minutes', 'long'], '--minutes cannot be "long"'],
  [['--parallel', '1.5'], '--parallel cannot be "1.5"'],
  [['--hard'], "Unknown option '--hard'"],
])('refuses %j', (args, sentence) => {
  expect(() => parseOptions(args)).toThrow(UsageError);
  expect(() => parseOptions(args)).toThrow(sentence);
  expect(() => parseOptions(args)).toThrow('usage: pnpm chaos');
});
