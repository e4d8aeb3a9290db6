import { stripVTControlCharacters } from 'node:util';
import { printable } from '@vm-sync/core';
import type { Paint, Style } from './paint.ts';

const STYLES: Readonly<Record<string, Style>> = {
  trace: 'dim',
  debug: 'dim',
  info: 'green',
  warn: 'yellow',
  error: 'red',
  fatal: ['red', 'bold'],
};

/** `11:02:33  warn   worker     failed: …  runId=… jobId=…`: one JSON line of the log, for the eyes of people. */
export function prettyLine(line: string, paint: Paint): string {
  const record = parse(line);
  if (!record) return line;
  const { time, level, process, msg, err, ...more } = record;
  const style = STYLES[String(level)] ?? 'dim';
  const head = [
    paint('dim', clock(time)),
    paint(style, String(level).padEnd(5)),
    paint('dim', String(process).padEnd(9)),
    indented(harmless(String(msg ?? ''))),
  ];
  const fields = Object.entries(more).map(([name, value]) => `${name}=${shown(value)}`);
  const tail = fields.length > 0 ? `  ${paint('dim', fields.join(' '))}` : '';
  return `${head.join('  ')}${tail}${errorLines(err)}\n`;
}

function parse(line: string): Record<string, unknown> | undefined {
  try {
    const parsed: unknown = JSON.parse(line);
    return typeof parsed === 'object' && parsed ? { ...parsed } : undefined;
  } catch {
    return undefined;
  }
}

/** Of the machine that one looks at. */
function clock(time: unknown): string {
  const at = new Date(String(time));
  return Number.isNaN(at.getTime()) ? '--:--:--' : at.toTimeString().slice(0, 8);
}

const shown = (value: unknown): string =>
  indented(harmless(typeof value === 'string' ? value : JSON.stringify(value)));

/** The stack where there is one, else the message; indented below its line. */
function errorLines(err: unknown): string {
  if (err === undefined) return '';
  const { stack, message } = typeof err === 'object' && err ? (err as Record<string, unknown>) : {};
  const text = harmless(String(stack ?? message ?? shown(err)));
  return indented(`\n${text}`);
}

/** Only a line of the log begins at the margin: a text of several lines must not look like more of them. */
const indented = (text: string): string =>
  text
    .split('\n')
    .map((line) => line.trimEnd())
    .join('\n    ');

/** What a database answered must not move the cursor of whoever reads about it. */
const harmless = (text: string): string => printable(stripVTControlCharacters(text));
