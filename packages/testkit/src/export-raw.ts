import { type Access, open } from './http.ts';
import { type Series, seriesKey } from './series.ts';

export type RawExport = Access & {
  /** Selectors; every series when absent, but for vm-sync's own. */
  match?: readonly string[];
  /** First and last timestamp in milliseconds, both inclusive. */
  fromMs?: number;
  toMs?: number;
  timeoutMs?: number;
};

/** What a server holds: series by `seriesKey`, samples in order of time, duplicates kept, stale markers as NaN. */
export type RawSamples = Map<string, Series>;

// A selector of "any name" does not find series without a name. What vm-sync writes about itself is no data.
const everySeries = ['{__name__!="",__name__!~"vmsync_.+"}', '{__name__=""}'];
const twoDaysMs = 2 * 86_400_000; // as far ahead as the database accepts samples

/** Reads every sample of a window through the export API. A line that is not whole throws. */
export async function exportRaw(url: string, options: RawExport = {}): Promise<RawSamples> {
  const form = new URLSearchParams({
    start: seconds(options.fromMs ?? 1000),
    end: seconds(options.toMs ?? Date.now() + twoDaysMs),
  });
  for (const selector of options.match ?? everySeries) form.append('match[]', selector);
  const { statusCode, body } = await open(`${url}/api/v1/export`, {
    ...options,
    body: form.toString(),
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
  });
  if (statusCode !== 200) {
    throw new Error(`export from ${url} answered ${statusCode}: ${await body.text()}`);
  }
  const found: RawSamples = new Map();
  for await (const line of linesOf(body)) merge(found, parseExportLine(line));
  return found;
}

/** Decimal seconds: 1.79 takes whole milliseconds for seconds and then finds nothing, without an error. */
function seconds(ms: number): string {
  return (ms / 1000).toFixed(3);
}

/** One line of an export; 1.79 prints NaN and +Inf bare, newer servers print null and "Infinity". */
function parseExportLine(line: string): Series {
  const valuesAt = line.indexOf('"values":[') + '"values":['.length;
  const valuesEnd = line.indexOf(']', valuesAt);
  const { metric, timestamps } = parseJson(line.slice(0, valuesAt) + line.slice(valuesEnd));
  const listed = line.slice(valuesAt, valuesEnd);
  const values = listed === '' ? [] : listed.split(',').map(parseValue);
  if (values.length !== timestamps.length) throw new Error(`uneven line: ${line.slice(0, 200)}`);
  return { labels: metric, timestamps, values };
}

function parseJson(text: string): { metric: Record<string, string>; timestamps: number[] } {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new Error(`not a whole line of JSON: ${text.slice(0, 200)}`, { cause: error });
  }
}

function parseValue(text: string): number {
  const bare = text.replaceAll('"', '').trim();
  if (/^(null|nan)$/i.test(bare)) return Number.NaN;
  if (/^\+?inf/i.test(bare)) return Number.POSITIVE_INFINITY;
  if (/^-inf/i.test(bare)) return Number.NEGATIVE_INFINITY;
  const value = Number(bare);
  if (bare === '' || Number.isNaN(value)) throw new Error(`not a sample's value: ${text}`);
  return value;
}

/** Lines end at \n only: a label may hold any other kind of line break. */
async function* linesOf(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const chunk of chunks) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n');
    rest = lines.pop() ?? '';
    yield* lines.filter((line) => line !== '');
  }
  if (rest.trim() !== '') yield rest;
}

/** Adds a line to what was found; a server may spread a series over several lines, in any order. */
function merge(found: RawSamples, line: Series): void {
  const key = seriesKey(line.labels);
  const known = found.get(key);
  if (known === undefined) {
    found.set(key, line);
    return;
  }
  const rows = [known, line].flatMap(({ timestamps, values }) =>
    timestamps.map((time, index): [number, number] => [time, values[index] ?? Number.NaN]),
  );
  rows.sort(([a], [b]) => a - b);
  known.timestamps = rows.map(([time]) => time);
  known.values = rows.map(([, value]) => value);
}
