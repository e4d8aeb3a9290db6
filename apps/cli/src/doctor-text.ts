import type { Paint, Style } from '@vm-sync/runtime';
import type { Finding } from './commands/doctor.ts';
import { fold, tableLines } from './terminal.ts';

/** One finding a line, for scripts. */
const WORDS = { fine: 'ok    ', advice: 'advice', fault: 'FAULT ' };

const MARKS = { fine: '✔', advice: '!', fault: '✘' };
const STYLES: Record<Finding['verdict'], Style> = { fine: 'green', advice: 'yellow', fault: 'red' };

/** In the order in which one looks for a cause. */
const GROUPS = ['The databases', 'Who is who', 'The direction', 'Redis'] as const;

function groupOf({ what }: Finding): (typeof GROUPS)[number] {
  if (what === 'identity' || what === 'duty') return 'Who is who';
  if (what === 'direction' || what.startsWith('witness ')) return 'The direction';
  return what === 'Redis' ? 'Redis' : 'The databases';
}

export const plainFindings = (findings: readonly Finding[]): string[] =>
  findings.map(({ what, verdict, text }) => `${WORDS[verdict]} ${what}: ${text}`);

/** In groups, with marks, and at the end what is to be mended. */
export function findingsForPeople(
  findings: readonly Finding[],
  columns: number,
  paint: Paint,
): string[] {
  const groups = Map.groupBy(findings, groupOf);
  const lines = GROUPS.flatMap((group) => {
    const own = groups.get(group) ?? [];
    if (own.length === 0) return [];
    const rows = own.map(({ what, verdict, text }) => [MARKS[verdict], what, text]);
    const style = (cell: string, column: number, row: number) => {
      const { verdict } = own[row] as Finding;
      return column === 0 || (column === 2 && verdict !== 'fine')
        ? paint(STYLES[verdict], cell)
        : cell;
    };
    return [paint('bold', group), ...tableLines(rows, { columns, indent: '  ', style }), ''];
  });
  return [...lines, ...conclusion(findings, columns, paint)];
}

function conclusion(findings: readonly Finding[], columns: number, paint: Paint): string[] {
  const faults = findings.filter(({ verdict }) => verdict === 'fault');
  const advice = findings.filter(({ verdict }) => verdict === 'advice').length;
  const beside = advice === 0 ? '' : ` ${advice} ${advice === 1 ? 'line is' : 'lines are'} advice.`;
  if (faults.length === 0)
    return [`${paint(['green', 'bold'], 'Nothing has to be mended.')}${beside}`];
  const tasks = faults.flatMap(({ what, text }, at) => {
    const [first = '', ...more] = fold(`${what}: ${text}`, columns - 5);
    return [`  ${at + 1}. ${first}`, ...more.map((line) => `     ${line}`)];
  });
  return [
    `${paint(['red', 'bold'], 'To be mended:')}`,
    ...tasks,
    ...(beside ? [beside.trim()] : []),
  ];
}
