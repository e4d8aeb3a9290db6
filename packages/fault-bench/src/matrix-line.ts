import { type MatrixCell, type MatrixRow, STAGES, type Stage } from './matrix.ts';

/** What goes wrong on the way to a database, or to a receiver of messages. */
const lineFaults = [
  'latency',
  'connection reset at once',
  'black hole',
  'answer lost with a reset, the server has acted',
  'half-open: answer never comes, the server has acted',
  'slow drip',
  'cut off in the middle with a reset',
  'cut off in the middle as if complete',
  'truncated at the end of a line as if complete',
  'corrupted body',
  '429',
  '500',
  '503',
  'rows of an import dropped',
] as const;

export type LineFault = (typeof lineFaults)[number];

/** The test file of each stage. */
const tests: Readonly<Record<Stage, string | undefined>> = {
  observe: 'matrix-line-check',
  compare: 'matrix-line-check',
  plan: undefined,
  export: 'matrix-line-repair',
  import: 'matrix-line-repair',
  verify: 'matrix-line-repair',
  settle: 'matrix-line-end',
  notify: 'matrix-line-end',
};

const noRows = 'only the import of a repair carries rows to a destination';
const noBody = 'the answer to a reset of the cache has no body';

const cannot: Partial<Record<LineFault, Partial<Record<Stage, string>>>> = {
  'cut off in the middle with a reset': { settle: noBody },
  'cut off in the middle as if complete': { settle: noBody },
  'truncated at the end of a line as if complete': { settle: noBody },
  'corrupted body': { settle: noBody },
  'slow drip': { settle: noBody },
  'rows of an import dropped': {
    observe: noRows,
    compare: noRows,
    export: noRows,
    verify: noRows,
    settle: noRows,
    notify: noRows,
  },
};

const noDatabase = 'no database is asked for a plan: it is made of what the comparison found';

function cellOf(fault: LineFault, stage: Stage): MatrixCell {
  const test = tests[stage];
  if (test === undefined) return { cannot: noDatabase };
  const why = cannot[fault]?.[stage];
  return why === undefined ? { test } : { cannot: why };
}

export const lineRows: readonly MatrixRow[] = lineFaults.map((fault) => ({
  fault: `line: ${fault}`,
  cells: Object.fromEntries(
    STAGES.map((stage) => [stage, cellOf(fault, stage)]),
  ) as MatrixRow['cells'],
}));

/** The faults that can meet a stage. */
export const lineFaultsAt = (stage: Stage): readonly LineFault[] =>
  lineFaults.filter((fault) => 'test' in cellOf(fault, stage));
