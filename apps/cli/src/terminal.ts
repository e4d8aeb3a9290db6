import { stripVTControlCharacters } from 'node:util';
import { onOneLine } from '@vm-sync/core';

const GRAPHEMES = new Intl.Segmenter('en', { granularity: 'grapheme' });
const WIDE =
  /\p{Emoji_Presentation}|\u{fe0f}|[\u{1100}-\u{115f}\u{2e80}-\u{a4cf}\u{ac00}-\u{d7a3}\u{f900}-\u{faff}\u{fe30}-\u{fe6f}\u{ff00}-\u{ff60}\u{ffe0}-\u{ffe6}]/u;

/** Columns that a text takes on a terminal: colours take none, emoji and East Asian characters two. */
export function textWidth(text: string): number {
  const plain = stripVTControlCharacters(text);
  if (/^[\x20-\x7e]*$/.test(plain)) return plain.length;
  let width = 0;
  for (const { segment } of GRAPHEMES.segment(plain)) width += WIDE.test(segment) ? 2 : 1;
  return width;
}

export const padEnd = (text: string, width: number): string =>
  text + ' '.repeat(Math.max(0, width - textWidth(text)));

/** A text in lines of so many columns, broken at blanks; a word that is longer stays whole. */
export function fold(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    const longer = line === '' ? word : `${line} ${word}`;
    if (line !== '' && textWidth(longer) > width) {
      lines.push(line);
      line = word;
    } else line = longer;
  }
  return [...lines, line];
}

export interface TableOptions {
  /** The last column is folded, so that lines are no longer than this; undefined where nobody looks at them. */
  readonly columns?: number | undefined;
  /** Colours of a cell, or of a line of it. */
  readonly style?: (text: string, column: number, row: number) => string;
  /** Columns of numbers, aligned at their ends. */
  readonly numbers?: readonly number[];
  /** What stands before every line. */
  readonly indent?: string;
}

/** A folded column is no narrower than this: rather let the terminal break the lines. */
const NARROWEST = 24;
const GAP = '  ';

/** Rows of cells as lines, with columns aligned. A row without cells is an empty line. */
export function tableLines(
  rows: readonly (readonly string[])[],
  { columns, style = (text) => text, numbers = [], indent = '' }: TableOptions = {},
): string[] {
  // Names of devices and selectors come from the databases: a cell must not become a line, or more than it is wide.
  const cells = rows.map((row) => row.map(onOneLine));
  const last = Math.max(0, ...cells.map((row) => row.length - 1));
  const widths = Array.from({ length: last }, (_, column) =>
    Math.max(...cells.map((row) => textWidth(row[column] ?? ''))),
  );
  const before = indent.length + widths.reduce((sum, width) => sum + width + GAP.length, 0);
  const room = columns === undefined ? Number.POSITIVE_INFINITY : columns - before;
  return cells.flatMap((row, at) => {
    if (row.length === 0) return [''];
    const aligned = widths.map((width, column) => {
      const text = row[column] ?? '';
      const cell = numbers.includes(column)
        ? ' '.repeat(width - textWidth(text)) + text
        : padEnd(text, width);
      return style(cell, column, at) + GAP;
    });
    const end = row[last] ?? '';
    const pieces = room < NARROWEST ? [end] : fold(end, room);
    return pieces.map((piece, line) => {
      const head = line === 0 ? indent + aligned.join('') : ' '.repeat(before);
      return (head + style(piece, last, at)).trimEnd();
    });
  });
}

/** `██████▌     `: a share from 0 to 1 as a bar of so many columns. */
export function bar(share: number, width: number): string {
  const eighths = Math.round(Math.min(1, Math.max(0, share)) * width * 8);
  const part = ['', '▏', '▎', '▍', '▌', '▋', '▊', '▉'][eighths % 8] ?? '';
  return ('█'.repeat(Math.floor(eighths / 8)) + part).padEnd(width);
}

/** What a text shows, without the ages in it, which change by themselves. */
export const withoutAges = (text: string): string =>
  text
    .replaceAll(/(?:\d+(?:\.\d+)?(?:ms|[smhd]) )+ago/g, 'ago')
    .replaceAll(/\d+ (?:second|minute|hour|day)s? old/g, 'old')
    .replaceAll(/ +/g, ' ');

/** The lines that were not there before; an age or an alignment that changes is no news. */
export function newLines(before: readonly string[], now: readonly string[]): string[] {
  const known = new Set(before.map(withoutAges));
  return now.filter((line) => line !== '' && !known.has(withoutAges(line)));
}
