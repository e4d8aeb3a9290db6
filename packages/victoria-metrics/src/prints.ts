import type { Endpoint } from './endpoint.ts';
import { emptyGrid, GridReader } from './grid.ts';
import { MatrixError } from './matrix.ts';
import { queryRange, type TallyRequest } from './query.ts';
import { SeriesPrint } from './series.ts';
import { duration } from './time.ts';

export interface PrintsRequest extends TallyRequest {
  /** Width of the sub-intervals of which each bucket's print sees the last sample. */
  readonly slotMs: number;
}

/**
 * Streams the prints of every series in the window. Series with a label named `rollup` are left out, so that their
 * buckets are compared by their rows: the print's own label of that name would overwrite theirs, and several series
 * would silently fall into one (measured).
 */
export async function* prints(
  endpoint: Endpoint,
  request: PrintsRequest,
): AsyncGenerator<SeriesPrint> {
  const slot = duration(request.slotMs);
  const step = duration(request.stepMs);
  const selector = withMatcher(request.selector, 'rollup=""');
  const last = `tlast_over_time(${selector}[${slot}]) keep_metric_names`;
  const query = `aggr_over_time(("count_over_time","sum_over_time"),(sin(${last}) keep_metric_names)[${step}:${slot}]) keep_metric_names`;
  const grid = new GridReader(request);
  // The halves of a series come one after the other, or those of its neighbours (by labels behind `rollup`) between them.
  const waiting = new Map<string, Half>();
  const nothing = emptyGrid(request);
  const printOf = (metric: string, { occupied = nothing, printText = '' }: Half): SeriesPrint =>
    new SeriesPrint(endpoint, metric, occupied, printText, request);
  const answer = queryRange(endpoint, query, request, (series): SeriesPrint | undefined => {
    const { metric, rollup } = withoutRollup(series.metric);
    const half: Half =
      rollup === 'count_over_time'
        ? { occupied: grid.read(series.values) }
        : { printText: series.values };
    const other = waiting.get(metric);
    if (!other) {
      waiting.set(metric, half);
      return undefined;
    }
    waiting.delete(metric);
    return printOf(metric, { ...other, ...half });
  });
  for await (const part of answer) for (const print of part) if (print) yield print;
  for (const [metric, half] of waiting) yield printOf(metric, half);
}

interface Half {
  readonly occupied?: Float64Array;
  readonly printText?: string;
}

/** The selector with one more condition. */
function withMatcher(selector: string, matcher: string): string {
  const at = selector.lastIndexOf('}');
  return at < 0 ? `${selector}{${matcher}}` : `${selector.slice(0, at)},${matcher}}`;
}

const ROLLUP = '"rollup":"';

/**
 * The label set as a tally has it, and the label that the print added to it. Inside of a name or value every quote
 * stands behind a backslash, so the label begins where the quote does not.
 */
function withoutRollup(metric: string): { metric: string; rollup: string } {
  let at = metric.indexOf(ROLLUP);
  while (at > 0 && metric[at - 1] === '\\') at = metric.indexOf(ROLLUP, at + 1);
  const from = at + ROLLUP.length;
  const to = metric.indexOf('"', from);
  const rollup = metric.slice(from, to);
  if (at < 0 || (rollup !== 'count_over_time' && rollup !== 'sum_over_time')) {
    throw new MatrixError('a series without its rollup');
  }
  // With it goes one of the commas around it.
  const before = metric[at - 1] === ',' ? at - 1 : at;
  const after = before === at && metric[to + 1] === ',' ? to + 2 : to + 1;
  return { metric: metric.slice(0, before) + metric.slice(after), rollup };
}
