import { type Access, fetchText } from './http.ts';
import type { Series } from './series.ts';

// A newer server refuses lines above 10 MB; this many samples stay far below.
const samplesPerLine = 10_000;
const bytesPerRequest = 4_000_000;

/** Writes series through the server's import API. Visible to queries only after a while, or a flush. */
export async function importSeries(
  url: string,
  series: Iterable<Series>,
  access: Access & { timeoutMs?: number } = {},
): Promise<void> {
  await importLines(url, importLinesOf(series), access);
}

/** Posts JSON lines as they are, a few megabytes at a time. */
export async function importLines(
  url: string,
  lines: Iterable<string>,
  access: Access & { timeoutMs?: number } = {},
): Promise<void> {
  for (const body of batches(lines)) {
    const { status, text } = await fetchText(`${url}/api/v1/import`, { ...access, body });
    if (status !== 204) throw new Error(`import into ${url} answered ${status}: ${text}`);
  }
}

/** The import API's JSON lines. */
export function* importLinesOf(series: Iterable<Series>): Generator<string> {
  for (const { labels, timestamps, values } of series) {
    const metric = JSON.stringify(labels);
    for (let at = 0; at < timestamps.length; at += samplesPerLine) {
      const times = timestamps.slice(at, at + samplesPerLine).join(',');
      const numbers = values
        .slice(at, at + samplesPerLine)
        .map(spell)
        .join(',');
      yield `{"metric":${metric},"values":[${numbers}],"timestamps":[${times}]}`;
    }
  }
}

/** Infinity is spelled bare: 1.79 drops a line with the quoted form, newer servers take both. */
function spell(value: number): string {
  if (Number.isNaN(value)) throw new Error('NaN cannot be imported: the database would drop it');
  if (value === Number.POSITIVE_INFINITY) return '+Inf';
  return value === Number.NEGATIVE_INFINITY ? '-Inf' : String(value);
}

function* batches(lines: Iterable<string>): Generator<string> {
  let batch: string[] = [];
  let bytes = 0;
  for (const line of lines) {
    batch.push(line);
    bytes += line.length;
    if (bytes < bytesPerRequest) continue;
    yield `${batch.join('\n')}\n`;
    batch = [];
    bytes = 0;
  }
  if (batch.length > 0) yield `${batch.join('\n')}\n`;
}
