import {
  type Chunk,
  type Direction,
  formatDirection,
  formatWindow,
  halve,
  missingTimestamps,
  type SiteObservation,
  seriesKey,
  VmSyncError,
  type Window,
} from '@vm-sync/core';
import type { Pair, Transfer } from './ports.ts';

export interface ChunkContext {
  readonly pair: Pair;
  readonly transfer: Transfer;
  readonly stepMs: number;
  readonly dedupMs: number;
  /** Which try this is, from 1 on. */
  readonly attempt: number;
  /** True when an earlier try (or an earlier worker) may have imported a part a moment ago. */
  readonly mayHaveBegun: boolean;
  /** Throws a `final` error when the order no longer holds: called before anything is written. */
  readonly assertOrderHolds: () => Promise<void>;
  /** A line for the job's log. */
  readonly say: (text: string) => void;
  /** Told of every part before it is sent; throwing stops the copy. */
  readonly onBytes: (bytes: number) => void;
  readonly wait: (ms: number) => Promise<void>;
  readonly signal: AbortSignal;
}

export interface ChunkOutcome {
  readonly outcome: 'repaired' | 'already-there';
  readonly mode: 'native' | 'lines' | 'difference' | 'none';
  readonly samples: number;
  readonly bytes: number;
}

/**
 * Makes one chunk right: looks at what the destination lacks now, copies that and nothing else, and reads it back. Safe
 * to run twice and at any time later. Throws a `VmSyncError`.
 */
export async function repairChunk(chunk: Chunk, context: ChunkContext): Promise<ChunkOutcome> {
  await context.assertOrderHolds();
  if (context.mayHaveBegun) await settleVisibility(context);
  try {
    return await copyAndVerify(chunk, context);
  } catch (error) {
    if (!(error instanceof VmSyncError) || error.kind !== 'too-big') throw error;
    const parts = split(chunk, context.stepMs);
    if (!parts) throw error;
    context.say(`too big at once (${error.message}); split in two`);
    const [first, second] = parts;
    const again = { ...context, mayHaveBegun: true };
    return add(await repairChunk(first, again), await repairChunk(second, again));
  }
}

/** How long an import can stay invisible to queries where a flush is not allowed: 11 s were measured at most. */
const INVISIBLE_MS = 15_000;

/**
 * What a worker that died or was cut off had handed to its sockets still arrives: a look before that would copy it a
 * second time.
 */
const IN_FLIGHT_MS = 3_000;

async function settleVisibility({ pair, wait, say, signal }: ChunkContext): Promise<void> {
  await wait(IN_FLIGHT_MS);
  if (await pair.destination.makeVisible(signal)) return;
  say(`waiting ${INVISIBLE_MS / 1000} s more until an earlier try's samples are visible`);
  await wait(INVISIBLE_MS);
}

async function copyAndVerify(chunk: Chunk, context: ChunkContext): Promise<ChunkOutcome> {
  const { destination } = context.pair;
  const before = await destination.rejectedRows(context.signal);
  const broad = chunk.selectors.length === 1 ? chunk.selectors[0] : undefined;
  const empty = broad !== undefined && (await isEmpty(context, broad, chunk.window));
  const copied = empty
    ? await copyWhole(broad, chunk.window, context)
    : await copyDifference(chunk, context);
  if (copied.outcome === 'already-there') return copied;
  const verified = empty
    ? () => lackingByCount(broad, chunk.window, context)
    : () => lackingByRows(chunk, context);
  await verify(chunk, verified, before, context);
  return copied;
}

const isEmpty = async ({ pair, signal }: ChunkContext, selector: string, window: Window) =>
  (await pair.destination.totalSamples({ selector, window, signal })) === 0;

/** From this length on the native format moves fewer bytes than JSON lines (measured; it always sends whole blocks). */
const NATIVE_FROM_MS = 2 * 3_600_000;

async function copyWhole(
  selector: string,
  window: Window,
  context: ChunkContext,
): Promise<ChunkOutcome> {
  const { pair, transfer, signal, onBytes, say } = context;
  const wanted = await pair.source.totalSamples({ selector, window, signal });
  if (wanted === 0) return ALREADY_THERE;
  const native = await mayCopyNative(selector, window, context);
  await context.assertOrderHolds();
  const request = { selector, window, signal, onBytes };
  const moved = native ? await copyNative(request, context) : await transfer.copyLines(request);
  const how = native ? 'native blocks' : 'JSON lines';
  if (moved.samples !== undefined && moved.samples < wanted) {
    throw cutExport(pair.source, { selectors: [selector], window, series: 0, samples: wanted });
  }
  say(`copied ${moved.samples ?? wanted} samples as ${how}, ${moved.bytes} bytes`);
  return {
    outcome: 'repaired',
    mode: native ? 'native' : 'lines',
    samples: moved.samples ?? wanted,
    bytes: moved.bytes,
  };
}

/** The destination reads this format (it was asked): blocks that it refuses were cut off on the way, and may come whole. */
async function copyNative(
  request: Parameters<Transfer['copyNative']>[0],
  { pair, transfer }: ChunkContext,
): ReturnType<Transfer['copyNative']> {
  try {
    return await transfer.copyNative(request);
  } catch (error) {
    if (!(error instanceof VmSyncError) || error.kind !== 'final') throw error;
    throw new VmSyncError(
      'retryable',
      `VM export error: ${pair.source.site} (${pair.source.url}) sent native blocks that the destination refused (${error.message}): the export was cut off, or is damaged; tried again as JSON lines`,
      { cause: error },
    );
  }
}

/**
 * Native blocks carry every raw sample, also those that deduplication hides: they are for sites that are known to
 * deduplicate alike, and to read each other's format. Where they failed once, JSON lines are the surer way.
 */
async function mayCopyNative(
  selector: string,
  window: Window,
  { pair, transfer, attempt, signal }: ChunkContext,
): Promise<boolean> {
  if (attempt > 1 || window.toMs - window.fromMs < NATIVE_FROM_MS) return false;
  const sites: SiteObservation[] = await Promise.all([
    pair.source.observe(signal),
    pair.destination.observe(signal),
  ]);
  const [source, destination] = sites.map(({ dedupMs }) => dedupMs);
  if (source === undefined || source === 0 || source !== destination) return false;
  return (await transfer.nativeIsShared(selector, window)) === true;
}

async function copyDifference(chunk: Chunk, context: ChunkContext): Promise<ChunkOutcome> {
  const { pair, transfer, dedupMs, signal, onBytes, say } = context;
  const rows = { selectors: chunk.selectors, window: chunk.window, signal };
  const present = await pair.destination.timestamps(rows);
  await assertComplete(pair.destination, chunk, present, context);
  await context.assertOrderHolds();
  const moved = await transfer.copyMissing(present, dedupMs, { ...rows, onBytes });
  const samples = moved.samples ?? 0;
  if (samples === 0) {
    say('nothing is missing any more');
    // Nothing was written, but nothing is proven either unless the source's rows came whole.
    if ((await lackingByRows(chunk, context)) > 0) throw cutExport(pair.source, chunk);
    return ALREADY_THERE;
  }
  say(`copied ${samples} samples that were missing, ${moved.bytes} bytes`);
  return { outcome: 'repaired', mode: 'difference', samples, bytes: moved.bytes };
}

const ALREADY_THERE: ChunkOutcome = {
  outcome: 'already-there',
  mode: 'none',
  samples: 0,
  bytes: 0,
};

/**
 * A list of what the destination has must be whole before it decides what is sent: behind a proxy a cut export ends
 * cleanly, and what it left out would be sent a second time.
 */
async function assertComplete(
  site: Pair['destination'],
  chunk: Chunk,
  rows: ReadonlyMap<string, Float64Array>,
  { signal }: ChunkContext,
): Promise<void> {
  const { selectors, window } = chunk;
  for (const [key, counted] of await site.counts({ selectors, window, signal })) {
    if ((rows.get(key)?.length ?? 0) < counted) throw cutExport(site, chunk);
  }
}

const cutExport = (site: Pair['source'], chunk: Chunk): VmSyncError =>
  new VmSyncError(
    'retryable',
    `VM export error: ${site.site} (${site.url}) exported fewer samples than it counts in ${formatWindow(chunk.window)}: the export was cut off; tried again`,
  );

/** How many samples the destination lacks, by counts per series and bucket. */
async function lackingByCount(
  selector: string,
  window: Window,
  { pair, stepMs, signal }: ChunkContext,
): Promise<number> {
  const request = { selector, window, stepMs, signal };
  const there = new Map<string, Float64Array>();
  for await (const { labels, samples } of pair.destination.tally(request)) {
    there.set(seriesKey(labels), samples);
  }
  let lacking = 0;
  for await (const { labels, samples } of pair.source.tally(request)) {
    const have = there.get(seriesKey(labels));
    samples.forEach((count, at) => {
      lacking += Math.max(0, count - (have?.[at] ?? 0));
    });
  }
  return lacking;
}

/** How many samples the destination lacks, by the rows of both sides. */
async function lackingByRows(chunk: Chunk, context: ChunkContext): Promise<number> {
  const { pair, dedupMs, signal } = context;
  const request = { selectors: chunk.selectors, window: chunk.window, signal };
  const [source, destination] = await Promise.all([
    pair.source.timestamps(request),
    pair.destination.timestamps(request),
  ]);
  await assertComplete(pair.source, chunk, source, context);
  let lacking = 0;
  for (const [key, timestamps] of source) {
    lacking += missingTimestamps(timestamps, destination.get(key) ?? [], dedupMs).length;
  }
  return lacking;
}

/** The destination accepted an import and does not have its samples. */
export class ShortError extends VmSyncError {
  override name = 'ShortError';
}

/** A destination that drops what it accepted is not asked for ever: after so many tries the chunk is set aside. */
const SHORT_TRIES = 3;

/** Waits between looks at the destination; together longer than an import can stay invisible. */
const LOOKS_MS = [0, 500, 1_000, 2_000, 4_000, 8_000];

async function verify(
  chunk: Chunk,
  lacking: () => Promise<number>,
  rejectedBefore: ReadonlyMap<string, number> | undefined,
  context: ChunkContext,
): Promise<void> {
  let left = 0;
  for (const waitMs of LOOKS_MS) {
    await context.wait(waitMs);
    await context.pair.destination.makeVisible(context.signal);
    left = await lacking();
    if (left === 0) {
      context.say('read back: both sides agree');
      return;
    }
    context.say(`read back: ${left} samples are not there yet`);
  }
  const kind = context.attempt >= SHORT_TRIES ? 'final' : 'retryable';
  throw new ShortError(kind, await shortText(chunk, left, rejectedBefore, context));
}

async function shortText(
  chunk: Chunk,
  left: number,
  before: ReadonlyMap<string, number> | undefined,
  { pair, signal }: ChunkContext,
): Promise<string> {
  const { destination } = pair;
  const after = await destination.rejectedRows(signal);
  const reasons = [...(after ?? [])]
    .map(([reason, count]) => [reason, count - (before?.get(reason) ?? 0)] as const)
    .filter(([, count]) => count > 0)
    .map(([reason, count]) => `${reason} ${count}`);
  const cause =
    reasons.length > 0
      ? `its counters name the cause: ${reasons.join(', ')}`
      : 'it did not say why; look at its log and at the proxy before it';
  return `${what(pair.direction, chunk.window)}: ${destination.site} (${destination.url}) accepted the import, but ${left} samples are not there; ${cause}; retry this job when that is mended`;
}

const what = (direction: Direction, window: Window): string =>
  `repair ${formatDirection(direction)}, ${formatWindow(window)}`;

/** Two smaller chunks: by time, or by series where a chunk is one bucket wide. */
function split(chunk: Chunk, stepMs: number): [Chunk, Chunk] | undefined {
  const share = { series: chunk.series, samples: Math.ceil(chunk.samples / 2) };
  const halves = halve(chunk.window, stepMs);
  if (halves) {
    const [first, second] = halves;
    return [
      { ...chunk, ...share, window: second },
      { ...chunk, ...share, window: first },
    ];
  }
  if (chunk.selectors.length < 2) return undefined;
  const middle = Math.ceil(chunk.selectors.length / 2);
  return [
    { ...chunk, ...share, selectors: chunk.selectors.slice(0, middle) },
    { ...chunk, ...share, selectors: chunk.selectors.slice(middle) },
  ];
}

const add = (a: ChunkOutcome, b: ChunkOutcome): ChunkOutcome => ({
  outcome: a.outcome === 'repaired' ? a.outcome : b.outcome,
  mode: a.mode === 'none' ? b.mode : a.mode,
  samples: a.samples + b.samples,
  bytes: a.bytes + b.bytes,
});
