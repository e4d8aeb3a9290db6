import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { lineRows, type MatrixRow, machineRows, matrixTable, STAGES } from '@vm-sync/fault-bench';
import { expect, test } from 'vitest';

const root = join(import.meta.dirname, '../../..');
const page = join(root, 'docs/verification.md');
const rows: readonly MatrixRow[] = [...lineRows, ...machineRows];

/** Around the table on the page. */
const [begin, end] = ['<!-- matrix: pnpm matrix-page -->', '<!-- end of matrix -->'];

test('the table of faults and stages on the page is that of the rows', async () => {
  const text = await readFile(page, 'utf8');
  const [before, shown, after] = partsOf(text);
  const wanted = `\n${matrixTable(rows)}\n`;
  if (process.env['WRITE_MATRIX_PAGE'] && shown !== wanted) {
    await writeFile(page, `${before}${begin}${wanted}${end}${after}`);
  } else {
    expect(shown).toBe(wanted);
  }
});

test('every cell names a test that there is, or a reason', () => {
  expect(new Set(rows.map(({ fault }) => fault)).size).toBe(rows.length);
  for (const { cells } of rows) {
    for (const stage of STAGES) {
      const cell = cells[stage];
      if ('cannot' in cell) expect(cell.cannot).toMatch(/\w+ \w+ \w+/);
      else expect(filesOf(cell.test).filter((file) => existsSync(file))).toHaveLength(1);
    }
  }
});

const filesOf = (name: string): string[] =>
  ['packages/fault-bench/test', 'apps/cli/test'].map((folder) =>
    join(root, folder, `${name}.test.ts`),
  );

function partsOf(text: string): [string, string, string] {
  const [before = '', rest = ''] = text.split(begin);
  const [shown = '', after = ''] = rest.split(end);
  if (rest === '') throw new Error(`${page} has no line ${begin}`);
  return [before, shown, after];
}
