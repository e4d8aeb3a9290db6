import { randomInt } from 'node:crypto';
import { errorText, escapedUnseen, printable } from '@vm-sync/core';
import { type Paint, paintOn } from '@vm-sync/runtime';
import { type TableOptions, tableLines } from './terminal.ts';

/** Exit codes of every command. */
export const EXIT = {
  fine: 0,
  /** Found something: gaps, not ready. */
  found: 1,
  /** Could not find out, or bad usage. */
  unknown: 2,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/**
 * Stands in our own colours until they are written. No label in a database, and nothing in Redis, knows the number: what
 * they bring of colours, or of anything else that a terminal obeys, is taken out.
 */
const OURS = `\x1b[${Array.from({ length: 4 }, () => randomInt(1_000, 10_000)).join(';')};`;

/** A text as it may be written: with our colours and without any control character of others. */
export const forOutput = (text: string): string => text.split(OURS).map(printable).join('\x1b[');

export const print = (text: string): void => {
  process.stdout.write(`${forOutput(text)}\n`);
};

export const complain = (text: string): void => {
  process.stderr.write(`${forOutput(text)}\n`);
};

export const printJson = (value: unknown): void =>
  print(escapedUnseen(JSON.stringify(value, null, 2)));

export interface Json {
  /** One JSON document on standard output, and nothing else there. */
  readonly json?: boolean;
}

/** The answer of a command: as JSON, or in lines for people. */
export function answer({ json }: Json, value: unknown, ...lines: readonly string[]): void {
  if (json) printJson(value);
  else for (const line of lines) print(line);
}

/**
 * A command that could not find out. Its sentence goes to standard error; with `--json` standard output has a document
 * all the same, so that a script reads one in every case.
 */
export function fail(error: unknown, { json }: Json): ExitCode {
  const text = errorText(error);
  complain(text);
  if (json) printJson({ error: text });
  return EXIT.unknown;
}

const painted = paintOn(process.stdout);

export const paint: Paint = (style, text) =>
  painted(style, printable(text)).replaceAll('\x1b[', OURS);

export const onTerminal = (): boolean => process.stdout.isTTY === true;

/** How wide lines may be; undefined where no person looks at them. */
export const columns = (): number | undefined =>
  onTerminal() ? process.stdout.columns || 80 : undefined;

export const table = (
  rows: readonly (readonly string[])[],
  options: Omit<TableOptions, 'columns'> = {},
): string => tableLines(rows, { columns: columns(), ...options }).join('\n');

export const iso = (ms: number | null): string => (ms === null ? '-' : new Date(ms).toISOString());

export { formatCount as number } from '@vm-sync/core';

const closing = new AbortController();

/** Aborted when nobody reads standard output any more (`| head`). */
export const outputClosed: AbortSignal = closing.signal;

/** Whoever stops reading has read enough: that is no error, and the exit code stays what was found. */
export function endQuietlyWhenClosed(): void {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE') throw error;
      closing.abort();
    });
  }
}
