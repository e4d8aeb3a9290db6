import { resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parseOptions, UsageError } from '../src/options.ts';

describe('parseOptions', () => {
  it('runs everything three times in full size when nothing is said', () => {
    expect(parseOptions([])).toEqual({
      only: [],
      rounds: 3,
      scale: 1,
      out: resolve(import.meta.dirname, '../../../.cache/bench-results.json'),
    });
  });

  it('takes names one by one or in a list', () => {
    const { only, rounds, scale, out } = parseOptions([
      ...['--', '--only', 'hole,workers', '--only', 'full-copy'],
      ...['--rounds', '1', '--scale', '0.02', '--out', '/tmp/results.json'],
    ]);
    expect(only).toEqual(['hole', 'workers', 'full-copy']);
    expect({ rounds, scale, out }).toEqual({ rounds: 1, scale: 0.02, out: '/tmp/results.json' });
  });

  it.each([
    [['--rounds', '0'], '--rounds cannot be "0"'],
    [['--rounds', '1.5'], '--rounds cannot be "1.5"'],
    [['--scale', '2'], '--scale cannot be "2"'],
    [['--scale', ''], '--scale cannot be ""'],
    [['--scale', 'half'], '--scale cannot be "half"'],
    [['--fast'], "Unknown option '--fast'"],
    [['hole'], 'Unexpected argument'],
  ])('refuses %j', (args, sentence) => {
    expect(() => parseOptions(args)).toThrow(UsageError);
    expect(() => parseOptions(args)).toThrow(sentence);
    expect(() => parseOptions(args)).toThrow('usage: pnpm bench');
  });
});
