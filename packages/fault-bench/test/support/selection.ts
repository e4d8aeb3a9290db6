export const full = process.env['MATRIX'] === 'full';

/** All of them with MATRIX=full, else one: another one for every number, so that each has its turn. */
export function selection<T>(all: readonly T[], turn: number): readonly T[] {
  const one = all[turn % all.length];
  return full || one === undefined ? all : [one];
}
