import type { Endpoint } from './endpoint.ts';
import { withoutKeys } from './errors.ts';
import {
  blockOfLines,
  type ExportLine,
  type LineBlock,
  LineError,
  lineThrough,
  parseLine,
  readLines,
} from './lines.ts';
import { portableValue } from './number.ts';
import type { SelectionRequest } from './query.ts';
import { endToAskFor, exportForm } from './time.ts';

/** Lines of an export, and what was made of each. */
export interface ReadBlock<T> extends LineBlock {
  readonly read: readonly T[];
}

/**
 * Streams the raw samples of a window, deduplicated as the site's queries see them, many lines at a time; a series that
 * several selectors meet comes once. A clean end of the stream proves nothing (a proxy may hide that it was cut):
 * compare what came with counts. `read` makes something of each line; where it throws a `LineError`, the error says
 * what the site answered.
 */
export async function* exportLines<T>(
  endpoint: Endpoint,
  request: SelectionRequest,
  read: (line: ExportLine) => T,
): AsyncGenerator<ReadBlock<T>> {
  const { toMs } = request.window;
  const mayExceed = endToAskFor(toMs) > toMs;
  const form = exportForm(request);
  form.set('max_rows_per_line', '10000');
  const response = await endpoint.call({
    act: 'export',
    method: 'POST',
    path: '/api/v1/export',
    form,
    signal: request.signal,
  });
  try {
    for await (const block of readLines(response.body)) {
      const own = mayExceed ? blockThrough(block, toMs) : block;
      yield { ...own, read: own.lines.map((line) => read(parseLine(line))) };
    }
  } catch (error) {
    if (error instanceof LineError) throw endpoint.strange('export', withoutKeys(error.message));
    throw endpoint.broken('export', error);
  } finally {
    response.body.destroy();
  }
}

/** The block without the samples that are younger than `toMs`. */
function blockThrough(block: LineBlock, toMs: number): LineBlock {
  const lines = block.lines.flatMap((line) => lineThrough(parseLine(line), toMs)?.bytes ?? []);
  const asItCame =
    lines.length === block.lines.length && lines.every((line, at) => line === block.lines[at]);
  return asItCame ? block : blockOfLines(lines);
}

/** The timestamps of a line's samples that count: staleness markers and not-a-numbers are no samples. */
export function sampleTimestamps(line: ExportLine): Float64Array {
  const { timestamps } = line;
  if (!line.hasSpecialValues) {
    line.assertPlainValues(timestamps.length);
    return timestamps;
  }
  const values = line.values(timestamps.length);
  return timestamps.filter((_, at) => portableValue(values[at] as string) !== undefined);
}
