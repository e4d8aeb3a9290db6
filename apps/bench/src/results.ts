/** How a figure is written, and what it is: `ratio` has no unit of its own. */
export type Unit = 's' | 'ms' | '/s' | 'MiB' | 'MB' | 'ratio';

/** One line of the table. Figures are medians over the rounds. */
export interface Row {
  readonly workload: string;
  /** What was measured, in a few words. */
  readonly measure: string;
  readonly unit: Unit;
  readonly ours: number;
  /** What ours is compared with in the same run; without one the target is about ours alone. */
  readonly yardstick?: { readonly name: string; readonly value: number };
  /** The most that the ratio (with a yardstick) or ours (without) may be; none for what is told beside. */
  readonly target?: number;
}

/** What a workload hands back. */
export interface Results {
  readonly rows: readonly Row[];
  /** What precisely was timed or counted, and what else is worth knowing. */
  readonly notes: readonly string[];
  /** Every single figure by contender, in the order of the rounds. */
  readonly rounds: Readonly<Record<string, readonly unknown[]>>;
}

/** The middle of the values, of an even number the mean of the two in the middle. */
export function median(values: readonly number[]): number {
  if (values.length === 0) throw new Error('there is no median of nothing');
  const sorted = [...values].sort((a, b) => a - b);
  const half = sorted.length / 2;
  const upper = sorted[Math.floor(half)] as number;
  return Number.isInteger(half) ? ((sorted[half - 1] as number) + upper) / 2 : upper;
}

export const ratioOf = ({ ours, yardstick }: Row): number | undefined =>
  yardstick && ours / yardstick.value;

/** Whether a row's target is met; undefined where it has none. */
export function isMet(row: Row): boolean | undefined {
  if (row.target === undefined) return undefined;
  return (ratioOf(row) ?? row.ours) <= row.target;
}

const HEAD = ['workload', 'measure', 'ours', 'yardstick', 'ratio', 'target', 'met'];

/** The rows as a table of text. */
export function formatTable(rows: readonly Row[]): string {
  const cells = rows.map((row) => {
    const { workload, measure, unit, ours, yardstick, target } = row;
    const ratio = ratioOf(row);
    const met = isMet(row);
    return [
      workload,
      measure,
      formatFigure(ours, unit),
      yardstick ? `${formatFigure(yardstick.value, unit)} ${yardstick.name}` : '',
      ratio === undefined ? '' : formatFigure(ratio, 'ratio'),
      target === undefined ? '' : `≤ ${formatTarget(target, yardstick ? 'ratio' : unit)}`,
      met === undefined ? '' : met ? 'yes' : 'NO',
    ];
  });
  const widths = HEAD.map((head, at) =>
    Math.max(head.length, ...cells.map((line) => line[at]?.length ?? 0)),
  );
  const rule = widths.map((width) => '-'.repeat(width));
  return [HEAD, rule, ...cells]
    .map((line) =>
      line
        .map((cell, at) => cell.padEnd(widths[at] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

function formatFigure(value: number, unit: Unit): string {
  if (unit === 'ratio') return `${value.toFixed(value < 0.1 ? 4 : 2)} ×`;
  return `${value.toFixed(value < 10 ? 2 : 1)} ${unit}`;
}

const formatTarget = (value: number, unit: Unit): string =>
  `${value} ${unit === 'ratio' ? '×' : unit}`;
