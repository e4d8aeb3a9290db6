import { readFileSync } from 'node:fs';

/** Collects faults; of several of one variable the first is told. */
export class Faults {
  readonly #byName = new Map<string, string>();

  add(name: string, sentence: string): void {
    if (!this.#byName.has(name)) this.#byName.set(name, `${name}: ${sentence}`);
  }

  get sentences(): string[] {
    return [...this.#byName.values()];
  }
}

export function readOrFault(name: string, path: string, faults: Faults): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    faults.add(name, `cannot read the file: ${(error as NodeJS.ErrnoException).code ?? error}`);
    return undefined;
  }
}
