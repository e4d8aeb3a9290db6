import { isUtf8 } from 'node:buffer';
import type { Labels } from '@vm-sync/core';
import { z } from 'zod';

/** One series of a range query's answer: `[unix seconds, "number"]` pairs, absent where there is no point. */
export interface MatrixSeries {
  readonly labels: Labels;
  readonly values: readonly (readonly [number, string])[];
}

const Head = z.object({
  status: z.literal('success'),
  isPartial: z.boolean().optional(),
  data: z.object({ resultType: z.literal('matrix'), result: z.array(z.never()) }),
});

/** An answer that is not a complete, successful range query result. */
export class MatrixError extends Error {
  override name = 'MatrixError';
}

/** Ten times a series of 30,000 points, the most that a server gives: what is longer must not fill the memory. */
const SERIES_BYTES_MOST = 8 * 1024 * 1024;

const LIST = '"result":[';
/**
 * Stands between two series and nowhere else: inside of a JSON string a quote is always escaped, so `{"` cannot occur
 * in a label's value.
 */
const BETWEEN = ',{"metric":{';

/**
 * Reads the answer of a range query series by series, without ever holding the whole: memory is bounded by the longest
 * series. Throws a `MatrixError` when the answer is cut, partial or not such an answer.
 */
export async function* readMatrix(body: AsyncIterable<Uint8Array>): AsyncGenerator<MatrixSeries> {
  let pending: Buffer = Buffer.alloc(0);
  let head: string | undefined;
  for await (const part of body) {
    pending = pending.length === 0 ? Buffer.from(part) : Buffer.concat([pending, part]);
    if (head === undefined) {
      const at = pending.indexOf(LIST);
      if (at < 0) {
        if (pending.length > 65_536) throw notMatrix(pending);
        continue;
      }
      head = pending.toString('utf8', 0, at + LIST.length);
      pending = pending.subarray(at + LIST.length);
    }
    for (let at = nextEnd(pending); at >= 0; at = nextEnd(pending)) {
      yield parseEntry(pending.subarray(0, at));
      pending = pending.subarray(at + 1);
    }
    if (pending.length > SERIES_BYTES_MOST) throw new MatrixError('a series without end');
  }
  if (head === undefined) throw notMatrix(pending);
  const end = pending.lastIndexOf(']}');
  const lastEntry = lastEntryEnd(pending);
  if (end < 0 || lastEntry > end + 2) throw new MatrixError('an answer that breaks off');
  assertHead(head + pending.toString('utf8', lastEntry));
  if (lastEntry > 0) yield parseEntry(pending.subarray(0, lastEntry));
}

const nextEnd = (pending: Buffer): number => pending.indexOf(BETWEEN, 1);

/** Where the last series ends: its values close with `]]}`; what follows belongs to the answer itself. */
function lastEntryEnd(pending: Buffer): number {
  const at = pending.lastIndexOf(']]}');
  return at < 0 ? 0 : at + 3;
}

function parseEntry(bytes: Buffer): MatrixSeries {
  // A label that is not UTF-8 is kept byte by byte: two such labels must never fall into one.
  const text = bytes.toString(isUtf8(bytes) ? 'utf8' : 'latin1');
  const entry = parseJson(text) as { metric?: Labels; values?: MatrixSeries['values'] };
  if (!isLabels(entry.metric) || !isValues(entry.values)) {
    throw new MatrixError('a series that cannot be read');
  }
  return { labels: entry.metric, values: entry.values };
}

/** By hand instead of zod: this runs for every point of every series, and took most of a check's time there. */
function isValues(values: unknown): values is MatrixSeries['values'] {
  return (
    Array.isArray(values) &&
    values.every(
      (pair) => Array.isArray(pair) && Number.isFinite(pair[0]) && typeof pair[1] === 'string',
    )
  );
}

function isLabels(labels: unknown): labels is Labels {
  if (typeof labels !== 'object' || labels === null) return false;
  for (const value of Object.values(labels)) if (typeof value !== 'string') return false;
  return true;
}

function assertHead(text: string): void {
  const head = Head.safeParse(parseJson(text));
  if (!head.success) throw new MatrixError('something else than a range query result');
  if (head.data.isPartial)
    throw new MatrixError('a partial result (isPartial), so counts are unknown');
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new MatrixError('JSON that breaks off or is damaged');
  }
}

function notMatrix(bytes: Buffer): MatrixError {
  const text = bytes.toString('utf8', 0, 200).trim();
  if (text === '') return new MatrixError('nothing');
  if (text.startsWith('<')) return new MatrixError('a web page');
  return new MatrixError('something else than a range query result');
}
