/** What is generated: the same shape gives the same lines, every time. */
export interface Shape {
  readonly series: number;
  /** Samples lie in (fromMs, toMs], one in every stretch of `stepMs`. */
  readonly fromMs: number;
  readonly toMs: number;
  readonly stepMs: number;
}

/** Says of a series and a time whether that sample is left out. */
export type LeftOut = (series: number, timestampMs: number) => boolean;

const METRICS = 100;
const SCRAPE_JITTER_MS = 10;
const PART_BYTES = 1 << 20;
/** A value, a time and their commas never need more. */
const SAMPLE_BYTES = 40;

const metricNames = Array.from({ length: METRICS }, (_, metric) => {
  const number = String(metric).padStart(2, '0');
  return isCounter(metric) ? `bench_requests_${number}_total` : `bench_load_${number}`;
});

export const samplesOf = ({ series, fromMs, toMs, stepMs }: Shape): number =>
  series * Math.floor((toMs - fromMs) / stepMs);

/**
 * JSON lines for the import API, about a megabyte at a time. A hundred series belong to one target, as with a real
 * collector: they share its moment of scraping, which lies anywhere within the step and wavers by a few milliseconds.
 * Half of them are counters, busy and slow ones, half are gauges, noisy and calm ones.
 */
export function* generateLines(shape: Shape, leftOut?: LeftOut): Generator<Buffer> {
  const count = Math.floor((shape.toMs - shape.fromMs) / shape.stepMs);
  const writer = new Writer(PART_BYTES + count * SAMPLE_BYTES + 1000);
  const values = new Float64Array(count);
  for (let first = 0; first < shape.series; first += METRICS) {
    const times = scrapeTimes(shape, count, first / METRICS);
    const timesText = joined(times);
    for (let series = first; series < Math.min(first + METRICS, shape.series); series++) {
      fillValues(values, series);
      const kept = leftOut && times.map((time) => !leftOut(series, time));
      if (kept && !kept.includes(true)) continue;
      writer.text(`{"metric":${JSON.stringify(labelsOf(series))},"values":[`);
      writeValues(writer, values, isCounter(series % METRICS), kept);
      writer.text('],"timestamps":[');
      writer.bytes(kept ? joined(times.filter((_, at) => kept[at])) : timesText);
      writer.text(']}\n');
      if (writer.length >= PART_BYTES) yield writer.take();
    }
  }
  if (writer.length > 0) yield writer.take();
}

function labelsOf(series: number): Record<string, string> {
  const target = Math.floor(series / METRICS);
  return {
    __name__: metricNames[series % METRICS] as string,
    job: 'bigip',
    instance: `bigip-${String(target).padStart(5, '0')}.example.net:443`,
    pool: `/Common/pool-${series % 7}`,
  };
}

function isCounter(metric: number): boolean {
  return metric % 4 < 2;
}

function scrapeTimes({ fromMs, stepMs }: Shape, count: number, target: number): number[] {
  const random = randomOf(target + 1_000_003);
  const offsetMs = 1 + Math.floor(random() * (stepMs - SCRAPE_JITTER_MS));
  return Array.from(
    { length: count },
    (_, at) => fromMs + at * stepMs + offsetMs + Math.floor(random() * SCRAPE_JITTER_MS),
  );
}

const joined = (times: readonly number[]): Buffer => Buffer.from(times.join(','));

/** Counters in whole numbers, gauges in hundredths. */
function fillValues(values: Float64Array, series: number): void {
  const random = randomOf(series + 1);
  const kind = series % 4;
  let value = Math.floor(random() * 100_000);
  for (let at = 0; at < values.length; at++) {
    if (kind === 0) value += Math.floor(random() * 1_000);
    else if (kind === 1) value += random() < 0.02 ? 1 : 0;
    else if (kind === 2) value = Math.abs(value + Math.floor(random() * 2_001) - 1_000);
    else if (random() < 0.05) value = Math.floor(random() * 10_000);
    values[at] = value;
  }
}

function writeValues(
  writer: Writer,
  values: Float64Array,
  counter: boolean,
  kept: readonly boolean[] | undefined,
): void {
  let first = true;
  for (let at = 0; at < values.length; at++) {
    if (kept?.[at] === false) continue;
    if (!first) writer.byte(COMMA);
    first = false;
    const value = values[at] as number;
    if (counter) writer.whole(value);
    else writer.hundredths(value);
  }
}

const COMMA = 44;
const POINT = 46;
const ZERO = 48;

/** Writes ASCII into one buffer: text is made several times faster so than by joining strings. */
class Writer {
  #buffer: Buffer;
  #length = 0;

  constructor(size: number) {
    this.#buffer = Buffer.allocUnsafe(size);
  }

  get length(): number {
    return this.#length;
  }

  text(text: string): void {
    this.#length += this.#buffer.write(text, this.#length, 'latin1');
  }

  bytes(bytes: Buffer): void {
    this.#length += bytes.copy(this.#buffer, this.#length);
  }

  byte(byte: number): void {
    this.#buffer[this.#length++] = byte;
  }

  whole(value: number): void {
    let digits = 1;
    for (let rest = value; rest >= 10; rest = Math.floor(rest / 10)) digits++;
    let rest = value;
    for (let at = this.#length + digits - 1; at >= this.#length; at--) {
      const tenth = Math.floor(rest / 10);
      this.#buffer[at] = ZERO + rest - tenth * 10;
      rest = tenth;
    }
    this.#length += digits;
  }

  hundredths(value: number): void {
    const whole = Math.floor(value / 100);
    const rest = value - whole * 100;
    this.whole(whole);
    this.byte(POINT);
    this.byte(ZERO + Math.floor(rest / 10));
    this.byte(ZERO + (rest % 10));
  }

  /** What was written so far; the writer begins anew. */
  take(): Buffer {
    const taken = Buffer.from(this.#buffer.subarray(0, this.#length));
    this.#length = 0;
    return taken;
  }
}

/** Repeatable numbers in [0, 1). */
export function randomOf(seed: number): () => number {
  let state = Math.imul(seed, 0x9e3779b1) | 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}
