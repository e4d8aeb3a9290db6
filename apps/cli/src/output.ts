/** Exit codes of every command. */
export const EXIT = {
  fine: 0,
  /** Found something: gaps, not ready. */
  found: 1,
  /** Could not find out, or bad usage. */
  unknown: 2,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

export const print = (text: string): void => {
  process.stdout.write(`${text}\n`);
};

export const complain = (text: string): void => {
  process.stderr.write(`${text}\n`);
};

export const printJson = (value: unknown): void => print(JSON.stringify(value, null, 2));

/** Rows of name and value, values aligned. */
export function table(rows: readonly (readonly [string, string])[]): string {
  const width = Math.max(...rows.map(([name]) => name.length));
  return rows.map(([name, value]) => `${name.padEnd(width)}  ${value}`).join('\n');
}

export const iso = (ms: number | null): string => (ms === null ? '-' : new Date(ms).toISOString());

export const number = (amount: number): string => new Intl.NumberFormat('en-US').format(amount);
