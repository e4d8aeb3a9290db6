import type { Results } from './results.ts';
import type { Sources } from './sources.ts';

/** What every workload is given. */
export interface Bench {
  readonly rounds: number;
  /** Share of the series that the targets are stated for. */
  readonly scale: number;
  readonly sources: Sources;
  /** Tells how far the bench is. */
  say(line: string): void;
}

export interface Workload {
  /** As `--only` and the table name it. */
  readonly name: string;
  readonly about: string;
  run(bench: Bench): Promise<Results>;
}

/** Runs a contender once; what it uses ends with `ends`. */
export type Contender<T> = (ends: AsyncDisposableStack) => Promise<T>;

/**
 * Runs every contender once a round, so that they share the machine's mood, and begins each round with another one.
 * Answers with what each gave, in the order of the rounds.
 */
export async function contest<T, Name extends string>(
  { rounds, say }: Bench,
  contenders: Readonly<Record<Name, Contender<T>>>,
): Promise<Record<Name, T[]>> {
  const names = Object.keys(contenders) as Name[];
  const given = Object.fromEntries(names.map((name) => [name, []])) as unknown as Record<Name, T[]>;
  for (let round = 0; round < rounds; round++) {
    const first = round % names.length;
    for (const name of [...names.slice(first), ...names.slice(0, first)]) {
      await using ends = new AsyncDisposableStack();
      const result = await contenders[name](ends);
      given[name].push(result);
      say(`  round ${round + 1}, ${name}: ${JSON.stringify(result)}`);
    }
  }
  return given;
}
