import { z } from 'zod';

/** One series of a range query's answer as the server wrote it, a character for each byte (latin1). */
export interface MatrixSeries {
  /** The label set, a JSON object. */
  readonly metric: string;
  /** The points, `[unix seconds,"number"]` and commas between them; none where there is no point. */
  readonly values: string;
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

/** What stands before and behind the list of series is a few words. */
const FRAME_BYTES_MOST = 65_536;

/**
 * Reads the answer of a range query as it comes, the series of a part at a time, without ever holding the whole: memory
 * is bounded by the longest series. Nothing is parsed that need not be: a check reads hundreds of thousands of series.
 * Throws a `MatrixError` when the answer is cut, partial or not such an answer.
 */
export async function* readMatrix(
  body: AsyncIterable<Uint8Array>,
): AsyncGenerator<readonly MatrixSeries[]> {
  const reader = new MatrixReader();
  for await (const part of body) {
    const bytes = Buffer.from(part.buffer, part.byteOffset, part.byteLength);
    // Slices of one text cost nothing, which is why this is no Buffer; latin1 is the cheapest way to have one.
    const series = reader.read(bytes.toString('latin1'));
    if (series.length > 0) yield series;
  }
  const last = reader.end();
  if (last.length > 0) yield last;
}

const LIST = '"result":[';
/**
 * These stand where they belong and nowhere else: inside of a JSON string a quote is always escaped, so neither `{"`
 * nor `,"` can occur in a label's name or value.
 */
const ENTRY = '{"metric":{';
const VALUES = '},"values":[';
const ENTRY_END = ']}';

const COMMA = 0x2c;
const BRACKET = 0x5d;
const BRACE = 0x7d;
const QUOTE = 0x22;

/** Every name of an answer stands there once: what JSON would read is the last, and what comes in parts the first. */
const TWICE = /"(?:data|result)":/;

class MatrixReader {
  /** What is not read yet: the beginning of a series, or of the words around the list. */
  #rest = '';
  /** What has come since that was looked at. */
  #come: string[] = [];
  #comeLength = 0;
  #head: string | undefined;
  #atTail = false;

  read(part: string): MatrixSeries[] {
    this.#come.push(part);
    this.#comeLength += part.length;
    // Looked at only when it has doubled: an answer in very small parts would be searched from its begin for each of them.
    return this.#comeLength < this.#rest.length ? [] : this.#look();
  }

  #look(): MatrixSeries[] {
    const text = this.#rest + this.#come.join('');
    this.#come = [];
    this.#comeLength = 0;
    const found: MatrixSeries[] = [];
    let at = 0;
    if (this.#head === undefined) {
      at = this.#readHead(text);
      // Until then it may be either: the first series, or the end of an empty list.
      if (at === 0 || at === text.length) return this.#keep(text, 0, found, FRAME_BYTES_MOST);
      this.#head = text.slice(0, at);
      this.#atTail = text.charCodeAt(at) === BRACKET;
    }
    while (!this.#atTail) {
      const valuesAt = text.indexOf(VALUES, at);
      const from = valuesAt + VALUES.length;
      const to = valuesAt < 0 ? -1 : text.indexOf(ENTRY_END, from);
      const after = to + ENTRY_END.length;
      if (to < 0 || after === text.length) return this.#keep(text, at, found, SERIES_BYTES_MOST);
      const metric = text.slice(at + ENTRY.length - 1, valuesAt + 1);
      if (!text.startsWith(ENTRY, at) || !looksLikeLabels(metric)) throw notSeries();
      found.push({ metric, values: text.slice(from, to) });
      const next = text.charCodeAt(after);
      if (next !== COMMA && next !== BRACKET) throw notSeries();
      this.#atTail = next === BRACKET;
      at = this.#atTail ? after : after + 1;
    }
    return this.#keep(text, at, found, FRAME_BYTES_MOST);
  }

  /** To be called when nothing more comes; gives what was not given yet. */
  end(): MatrixSeries[] {
    const found = this.#look();
    if (this.#head === undefined) throw notMatrix(this.#rest);
    if (!this.#atTail) throw new MatrixError('an answer that breaks off');
    assertHead(this.#head + this.#rest);
    if (TWICE.test(this.#rest)) throw new MatrixError('an answer that says things twice');
    return found;
  }

  /** Where the list begins; 0 where it does not come yet. Another kind of answer is refused before it is read. */
  #readHead(text: string): number {
    const at = text.indexOf(LIST);
    if (at < 0) {
      if (text.length > FRAME_BYTES_MOST) throw notMatrix(text);
      return 0;
    }
    assertHead(`${text.slice(0, at + LIST.length)}]}}`);
    return at + LIST.length;
  }

  #keep(text: string, at: number, found: MatrixSeries[], most: number): MatrixSeries[] {
    this.#rest = text.slice(at);
    if (this.#rest.length > most) {
      throw new MatrixError(this.#atTail ? 'an answer without end' : 'a series without end');
    }
    return found;
  }
}

/** A quick look: the labels themselves are read only where somebody asks for them. */
function looksLikeLabels(metric: string): boolean {
  const last = metric.length - 1;
  if (last === 1) return metric === '{}';
  return (
    metric.charCodeAt(1) === QUOTE &&
    metric.charCodeAt(last - 1) === QUOTE &&
    metric.charCodeAt(last) === BRACE
  );
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

const notSeries = (): MatrixError => new MatrixError('a series that cannot be read');

function notMatrix(bytes: string): MatrixError {
  const text = Buffer.from(bytes.slice(0, 200), 'latin1').toString('utf8').trim();
  if (text === '') return new MatrixError('nothing');
  if (text.startsWith('<')) return new MatrixError('a web page');
  return new MatrixError('something else than a range query result');
}
