import type { Window } from '@vm-sync/core';
import type { Endpoint } from './endpoint.ts';
import {
  type ExportLine,
  hasSpecialValues,
  LineError,
  parseLine,
  portableValue,
  readLines,
} from './lines.ts';
import { exportBounds } from './time.ts';

export interface RowsRequest {
  /** Selectors as text; a series that several of them meet comes once. */
  readonly selectors: readonly string[];
  readonly window: Window;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Streams the raw samples of a window, deduplicated as the site's queries see them. A clean end of the stream proves
 * nothing (a proxy may hide that it was cut): compare what came with counts.
 */
export async function* exportLines(
  endpoint: Endpoint,
  request: RowsRequest,
  count: { bytes: number } = { bytes: 0 },
): AsyncGenerator<ExportLine> {
  const { start, end } = exportBounds(request.window);
  const form = new URLSearchParams({ start, end, max_rows_per_line: '10000' });
  for (const selector of request.selectors) form.append('match[]', selector);
  const response = await endpoint.call({
    act: 'export',
    method: 'POST',
    path: '/api/v1/export',
    form,
    signal: request.signal,
  });
  try {
    for await (const line of readLines(response.body)) {
      count.bytes += line.length + 1;
      yield parseLine(line);
    }
  } catch (error) {
    if (error instanceof LineError) throw endpoint.strange('export', error.message);
    throw endpoint.broken('export', error);
  } finally {
    response.body.destroy();
  }
}

/** The timestamps of a line's samples that count: staleness markers and not-a-numbers are no samples. */
export function sampleTimestamps(line: ExportLine): readonly number[] {
  if (!hasSpecialValues(line)) return line.timestamps;
  const values = line.values();
  return line.timestamps.filter((_, at) => portableValue(values[at] ?? 'null') !== undefined);
}
