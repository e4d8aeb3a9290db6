import { resolve } from 'node:path';
import { parseArgs } from 'node:util';

export interface Options {
  /** Names of the workloads to run; all when empty. */
  readonly only: readonly string[];
  readonly rounds: number;
  /** Share of the series that the targets are stated for. */
  readonly scale: number;
  /** Where the results are written as JSON. */
  readonly out: string;
}

export class UsageError extends Error {
  override name = 'UsageError';
}

const usage =
  'usage: pnpm bench [--only NAME]... [--rounds N] [--scale F] [--out FILE]\n' +
  '  --only    one workload by its name, or several; all without it\n' +
  '  --rounds  how often each contender runs, the table has the medians (3)\n' +
  '  --scale   share of the series; the targets hold for 1 (1)\n' +
  '  --out     where the results go as JSON (.cache/bench-results.json)';

const outByDefault = resolve(import.meta.dirname, '../../../.cache/bench-results.json');

/** Reads the command line; throws a `UsageError` that says what is wrong with it. */
export function parseOptions(args: readonly string[]): Options {
  const { only = [], rounds = '3', scale = '1', out } = read(args);
  return {
    only: only.flatMap((names) => names.split(',')),
    rounds: numberOf('--rounds', rounds, (value) => Number.isInteger(value) && value >= 1),
    scale: numberOf('--scale', scale, (value) => value > 0 && value <= 1),
    out: out === undefined ? outByDefault : resolve(out),
  };
}

function read(args: readonly string[]) {
  try {
    return parseArgs({
      // pnpm passes the -- of `pnpm bench -- --only hole` on.
      args: args.filter((arg) => arg !== '--'),
      options: {
        only: { type: 'string', multiple: true },
        rounds: { type: 'string' },
        scale: { type: 'string' },
        out: { type: 'string' },
      },
    }).values;
  } catch (error) {
    throw new UsageError(`${(error as Error).message}\n${usage}`);
  }
}

function numberOf(option: string, text: string, fits: (value: number) => boolean): number {
  const value = Number(text);
  if (text !== '' && fits(value)) return value;
  throw new UsageError(`${option} cannot be ${JSON.stringify(text)}\n${usage}`);
}
