import { type MatrixRow, STAGES } from './matrix.ts';

/** The matrix as Markdown: a row a fault, a column a stage; reasons and the names of the tests stand below. */
export function matrixTable(rows: readonly MatrixRow[]): string {
  const cells = rows.flatMap((row) => STAGES.map((stage) => row.cells[stage]));
  const reasons = [...new Set(cells.flatMap((cell) => ('cannot' in cell ? cell.cannot : [])))];
  const tests = [...new Set(cells.flatMap((cell) => ('test' in cell ? cell.test : [])))].sort();
  const line = (texts: readonly string[]) => `| ${texts.join(' | ')} |`;
  return [
    line(['fault', ...STAGES]),
    line(['fault', ...STAGES].map(() => '---')).replaceAll(' ', ''),
    ...rows.map(({ fault, cells: of }) => {
      const texts = STAGES.map((stage) => {
        const cell = of[stage];
        return 'test' in cell ? shortOf(cell.test) : `(${reasons.indexOf(cell.cannot) + 1})`;
      });
      return line([fault, ...texts]);
    }),
    '',
    `Tests: ${tests.map((test) => `${shortOf(test)} is \`${test}.test.ts\``).join(', ')}.`,
    ...(reasons.length === 0 ? [] : ['']),
    ...reasons.map((reason, at) => `(${at + 1}) ${reason}  `),
  ].join('\n');
}

const shortOf = (test: string): string => test.replace(/^matrix-/, '');
