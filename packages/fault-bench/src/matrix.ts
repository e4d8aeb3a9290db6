/** The stages of a check and its repair, in the order of the data's way. */
export const STAGES = [
  'observe',
  'compare',
  'plan',
  'export',
  'import',
  'verify',
  'settle',
  'notify',
] as const;

export type Stage = (typeof STAGES)[number];

/** A test file by its short name, or why the fault cannot meet the stage. */
export type MatrixCell = { test: string } | { cannot: string };

export interface MatrixRow {
  fault: string;
  cells: Record<Stage, MatrixCell>;
}
