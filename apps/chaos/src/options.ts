import { parseArgs } from 'node:util';

export interface Options {
  readonly seeds: readonly number[];
  readonly lengthMs: number;
  /** Runs at a time. */
  readonly parallel: number;
  /** Every line of the timeline as it happens. */
  readonly verbose: boolean;
}

export class UsageError extends Error {
  override name = 'UsageError';
}

const usage =
  'usage: pnpm chaos [--seed S[-T]]... [--minutes M] [--parallel N] [--verbose]\n' +
  '  --seed      what decides all that is left to chance; several, or from one to another (one of its own)\n' +
  '  --minutes   how long faults are injected in each run; the recovery comes behind it (5)\n' +
  '  --parallel  runs at a time (1)\n' +
  '  --verbose   every fault as it happens; after a violation they are printed anyway';

/** Reads the command line; throws a `UsageError` that says what is wrong with it. */
export function parseOptions(args: readonly string[]): Options {
  const { seed = [], minutes = '5', parallel = '1', verbose = false } = read(args);
  return {
    seeds: seed.length === 0 ? [Date.now() % 1e6] : seed.flatMap(seedsOf),
    lengthMs: numberOf('--minutes', minutes, (value) => value > 0 && value <= 1e4) * 60_000,
    parallel: numberOf('--parallel', parallel, (value) => Number.isInteger(value) && value > 0),
    verbose,
  };
}

function read(args: readonly string[]) {
  try {
    return parseArgs({
      // pnpm passes the -- of `pnpm chaos -- --seed 1` on.
      args: args.filter((arg) => arg !== '--'),
      options: {
        seed: { type: 'string', multiple: true },
        minutes: { type: 'string' },
        parallel: { type: 'string' },
        verbose: { type: 'boolean' },
      },
    }).values;
  } catch (error) {
    throw new UsageError(`${(error as Error).message}\n${usage}`);
  }
}

const MANY = 1_000;

function seedsOf(text: string): number[] {
  const [, from, to = from] = /^(\d{1,9})(?:-(\d{1,9}))?$/.exec(text) ?? [];
  const count = Number(to) - Number(from) + 1;
  if (count >= 1 && count <= MANY)
    return Array.from({ length: count }, (_, at) => Number(from) + at);
  throw new UsageError(`--seed cannot be ${JSON.stringify(text)}\n${usage}`);
}

function numberOf(option: string, text: string, fits: (value: number) => boolean): number {
  const value = Number(text);
  if (text !== '' && fits(value)) return value;
  throw new UsageError(`${option} cannot be ${JSON.stringify(text)}\n${usage}`);
}
