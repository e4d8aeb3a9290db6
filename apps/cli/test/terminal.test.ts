import { PassThrough } from 'node:stream';
import { stripVTControlCharacters, styleText } from 'node:util';
import { describe, expect, test } from 'vitest';
import { progressText, showing } from '../src/progress-line.ts';
import { bar, fold, newLines, tableLines, textWidth } from '../src/terminal.ts';
import { fitting, openBoard } from '../src/watch.ts';

/** A stream that keeps what is written to it. */
function keeper(more: Partial<NodeJS.WriteStream>) {
  const written: string[] = [];
  const write = (text: unknown) => written.push(String(text)) > 0;
  const stream = Object.assign(new PassThrough(), more, { write });
  return { stream: stream as unknown as NodeJS.WriteStream, text: () => written.join('') };
}

describe('text', () => {
  test.each([
    ['', 0],
    ['primary → dr', 12],
    ['⚠️ VM-Sync', 10],
    ['🟢', 2],
    ['日本', 4],
    ['e\u0301', 1],
    [styleText('red', 'red', { validateStream: false }), 3],
  ])('%j takes %i columns', (text, width) => {
    expect(textWidth(text)).toBe(width);
  });

  test('is broken at blanks only', () => {
    expect(fold('one two three', 7)).toEqual(['one two', 'three']);
    expect(fold('http://a-long-address/ is', 5)).toEqual(['http://a-long-address/', 'is']);
    expect(fold('', 5)).toEqual(['']);
  });
});

describe('a table', () => {
  const rows = [
    ['🟢', 'ready', 'one two three four five six'],
    ['run', 'not ready', 'short'],
  ];

  test('has aligned columns, and lines as long as they are where nobody looks', () => {
    expect(tableLines(rows)).toEqual([
      '🟢   ready      one two three four five six',
      'run  not ready  short',
    ]);
    expect(tableLines([])).toEqual([]);
    expect(tableLines([['a', ''], [], ['b', 'c']])).toEqual(['a', '', 'b  c']);
  });

  test('is folded in its last column on a terminal, and numbers end alike', () => {
    expect(tableLines(rows, { columns: 42, indent: '  ' })).toEqual([
      '  🟢   ready      one two three four five',
      '                  six',
      '  run  not ready  short',
    ]);
    expect(tableLines(rows, { columns: 30 })[0]).toBe(
      '🟢   ready      one two three four five six',
    );
    const counts = [
      ['a', '1', 'x'],
      ['b', '1,000', 'y'],
    ];
    expect(tableLines(counts, { numbers: [1] })).toEqual(['a      1  x', 'b  1,000  y']);
  });

  test('is styled cell by cell, without losing its alignment', () => {
    const style = (text: string, column: number, row: number) =>
      column === 0 ? styleText('bold', text, { validateStream: false }) : `${text}${row}`;
    const lines = tableLines(
      [
        ['a', 'b'],
        ['ccc', 'd'],
      ],
      { style },
    );
    expect(lines.map(stripVTControlCharacters)).toEqual(['a    b0', 'ccc  d1']);
  });
});

test('a bar is never longer than it should be', () => {
  expect(bar(0, 4)).toBe('    ');
  expect(bar(0.5, 4)).toBe('██  ');
  expect(bar(0.53, 4)).toBe('██▏ ');
  expect([bar(1, 4), bar(7, 4), bar(-1, 4)]).toEqual(['████', '████', '    ']);
});

test('an age, or an alignment, is no new line', () => {
  const before = ['NOT READY', 'last check  12:00, 5s ago', 'last check is 61 seconds old'];
  const later = ['NOT READY', 'last check    12:00, 1m 5s ago', 'last check is 2 minutes old'];
  expect(newLines(before, later)).toEqual([]);
  expect(newLines(before, ['READY', '', 'gaps  2', ...later])).toEqual(['READY', 'gaps  2']);
});

describe('what is shown while one waits', () => {
  test('fits the terminal', () => {
    const going = { act: 'proving', share: 0.5 };
    const wide = progressText(going, 61_500, 80);
    expect(wide).toBe(`proving  ${'█'.repeat(12)}${' '.repeat(12)}  50 %  1m 1s`);
    expect(progressText(going, 61_500, 30)).toBe('proving  50 %  1m 1s');
    expect(progressText(going, 61_500, 16)).toBe('proving  50 %');
    expect(progressText(going, 61_500, 5)).toBe('');
    expect(progressText({ act: 'surveying', share: null }, 200, 80)).toBe('surveying  0s');
  });

  test('is wiped out afterwards, also after an error, and shown on a terminal only', async () => {
    const { stream, text } = keeper({ isTTY: true, columns: 80 });
    const failing = showing(async (tell) => {
      tell({ act: 'proving', share: 0.1 });
      throw new Error('no');
    }, stream);
    await expect(failing).rejects.toThrow('no');
    expect(text()).toContain('proving');
    expect(text().endsWith('\r\x1b[2K')).toBe(true);
    const file = keeper({});
    const done = await showing(async (tell) => {
      tell({ act: 'proving', share: 0.1 });
      return 7;
    }, file.stream);
    expect([done, file.text()]).toEqual([7, '']);
  });
});

describe('a watched screen', () => {
  test('says what it has no room for', () => {
    expect(fitting(['a', 'b', 'c'], 4)).toEqual(['a', 'b', 'c']);
    expect(fitting(['a', 'b', 'c', 'd'], 4)).toEqual([
      'a',
      'b',
      expect.stringMatching(/^… 2 more/),
    ]);
  });

  test('is drawn anew on a terminal, and leaves its last state behind', () => {
    const { stream, text } = keeper({ isTTY: true, rows: 10 });
    const board = openBoard(stream);
    board.show(['NOT READY', 'gaps 1']);
    board.show(['FAILBACK READY']);
    board.end();
    expect(text().split('\x1b[H').length).toBe(4);
    expect(text()).toContain('FAILBACK READY\x1b[K\n\x1b[J');
    expect(text().endsWith('\x1b[?1049lFAILBACK READY\n')).toBe(true);
  });

  test('is only what is new anywhere else', () => {
    const { stream, text } = keeper({});
    const board = openBoard(stream);
    board.show(['NOT READY', 'gaps  1']);
    board.show(['NOT READY', 'gaps  1']);
    board.show(['FAILBACK READY', 'gaps  0']);
    board.end();
    expect(text()).toBe('NOT READY\ngaps  1\nFAILBACK READY\ngaps  0\n');
  });
});
