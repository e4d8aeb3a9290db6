import {
  type Chunk,
  type Direction,
  formatDirection,
  formatWindow,
  halve,
  missingTimestamps,
  type SiteObservation,
  VmSyncError,
  type Window,
} from '@vm-sync/core';
import type { Pair, Transfer } from './ports.ts';
import { whyShort } from './why-short.ts';

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
  /** How often the chunk was too slow at once: it is halved as often. */
  readonly timeouts: number;
  /** Asked before every part is sent, and waited for; throwing stops the copy. */
  readonly onBytes: (bytes: number, samples?: number) => Promise<void>;
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
  if (context.timeouts > 0) {
    const faster = { ...context, timeouts: context.timeouts - 1 };
    const halves = split(chunk, context.stepMs);
    if (halves) return inHalves(halves, faster, 'too slow at once');
  }
  try {
    return await copyAndVerify(chunk, context);
  } catch (error) {
    const halves = split(chunk, context.stepMs);
    if (!(error instanceof VmSyncError) || error.kind !== 'too-big' || !halves) throw error;
    return inHalves(halves, context, `too big at once (${error.message})`);
  }
}

async function inHalves(
  [first, second]: readonly [Chunk, Chunk],
  context: ChunkContext,
  why: string,
): Promise<ChunkOutcome> {
  context.say(`${why}; split in two`);
  const one = await repairChunk(first, context);
  return add(one, await repairChunk(second, { ...context, mayHaveBegun: false }));
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

/** Samples of one side whose timestamps a worker holds in memory while it works by difference. */
const DIFFERENCE_MOST = 2_000_000;

async function copyAndVerify(chunk: Chunk, context: ChunkContext): Promise<ChunkOutcome> {
  const { source, destination } = context.pair;
  const request = requestOf(chunk, context);
  const before = await destination.rejectedRows(context.signal);
  const held = await destination.totalSamples(request);
  if (held === 0) return copyWhole(chunk, before, context);
  const there = await source.totalSamples(request);
  if (Math.max(held, there) > DIFFERENCE_MOST && split(chunk, context.stepMs)) {
    throw new VmSyncError('too-big', `${held} samples are there already, of ${there}`);
  }
  const copied = await copyDifference(chunk, context);
  if (copied.outcome === 'repaired') {
    await verify(chunk, () => lackingByRows(chunk, context), before, context);
  }
  return copied;
}

const requestOf = ({ selectors, window }: Chunk, { signal }: ChunkContext) => ({
  selectors,
  window,
  signal,
});

/**
 * From so many samples a series on the native format is cheaper than JSON lines: it always sends whole blocks, of up to
 * 8,192 samples, and the destination has to store all of them (measured with samples every 15 s: 480 a series took 3.0 s
 * as lines and 3.4 s as blocks, 1,180 a series 5.1 s and 3.3 s; bytes break even there, too).
 */
const NATIVE_FROM_SAMPLES = 600;

async function copyWhole(
  chunk: Chunk,
  rejectedBefore: ReadonlyMap<string, number> | undefined,
  context: ChunkContext,
): Promise<ChunkOutcome> {
  const { pair, transfer, onBytes, say } = context;
  const native = await mayCopyNative(chunk, context);
  await context.assertOrderHolds();
  const request = { ...requestOf(chunk, context), onBytes };
  const moved = native ? await copyNative(request, context) : await transfer.copyLines(request);
  say(`copied ${native ? 'native blocks' : 'JSON lines'}, ${moved.bytes} bytes`);
  let samples = 0;
  const lacking = async () => {
    samples = await pair.destination.totalSamples(requestOf(chunk, context));
    // The stretch was empty: as many as the source was counted to have are all that it had.
    if (chunk.counted === true && samples === chunk.samples) return 0;
    if (moved.samples !== undefined) await assertSentAll(moved.samples, chunk, context);
    const counted = await lackingByCount(chunk, context);
    // More may have become visible since the look before: what is told is what was read back.
    samples = counted.held;
    return counted.lacking;
  };
  await verify(chunk, lacking, rejectedBefore, context);
  if (samples === 0) return ALREADY_THERE;
  const mode = native ? 'native' : 'lines';
  return { outcome: 'repaired', mode, samples, bytes: moved.bytes };
}

async function assertSentAll(sent: number, chunk: Chunk, context: ChunkContext): Promise<void> {
  const { source } = context.pair;
  if (sent < (await source.totalSamples(requestOf(chunk, context)))) throw cutExport(source, chunk);
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
  { selectors, window, series, samples }: Chunk,
  { pair, transfer, attempt, signal }: ChunkContext,
): Promise<boolean> {
  if (attempt > 1 || samples < NATIVE_FROM_SAMPLES * Math.max(series, 1)) return false;
  const sites: SiteObservation[] = await Promise.all([
    pair.source.observe(signal),
    pair.destination.observe(signal),
  ]);
  const [source, destination] = sites.map(({ dedupMs }) => dedupMs);
  if (source === undefined || source === 0 || source !== destination) return false;
  return (await transfer.nativeIsShared({ selectors, window, signal })) === true;
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
    { site: site.site },
  );

/** How many samples the destination lacks, and holds, by counts per series: enough where it had none before. */
async function lackingByCount(
  chunk: Chunk,
  context: ChunkContext,
): Promise<{ lacking: number; held: number }> {
  const { source, destination } = context.pair;
  const request = requestOf(chunk, context);
  const [there, here] = await Promise.all([source.counts(request), destination.counts(request)]);
  let lacking = 0;
  for (const [key, samples] of there) lacking += Math.max(0, samples - (here.get(key) ?? 0));
  const held = [...here.values()].reduce((sum, samples) => sum + samples, 0);
  return { lacking, held };
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
  const { site } = context.pair.destination;
  throw new ShortError(kind, await shortText(chunk, left, rejectedBefore, context), { site });
}

async function shortText(
  chunk: Chunk,
  left: number,
  before: ReadonlyMap<string, number> | undefined,
  { pair, signal }: ChunkContext,
): Promise<string> {
  const { destination } = pair;
  const why = whyShort(before, await destination.rejectedRows(signal));
  return `${what(pair.direction, chunk.window)}: ${destination.site} (${destination.url}) accepted the import, but ${left} samples are not there; ${why}; retry this job when that is mended`;
}

const what = (direction: Direction, window: Window): string =>
  `repair ${formatDirection(direction)}, ${formatWindow(window)}`;

/** Two smaller chunks: by selectors, which keeps long runs of a series together, or by time. */
function split(chunk: Chunk, stepMs: number): [Chunk, Chunk] | undefined {
  const { counted: _, ...rest } = chunk;
  const share = { ...rest, samples: Math.ceil(chunk.samples / 2) };
  if (chunk.selectors.length > 1) {
    const middle = Math.ceil(chunk.selectors.length / 2);
    return [
      { ...share, selectors: chunk.selectors.slice(0, middle) },
      { ...share, selectors: chunk.selectors.slice(middle) },
    ];
  }
  const halves = halve(chunk.window, stepMs);
  return (
    halves && [
      { ...share, window: halves[1] },
      { ...share, window: halves[0] },
    ]
  );
}

const add = (a: ChunkOutcome, b: ChunkOutcome): ChunkOutcome => ({
  outcome: a.outcome === 'repaired' ? a.outcome : b.outcome,
  mode: a.mode === 'none' ? b.mode : a.mode,
  samples: a.samples + b.samples,
  bytes: a.bytes + b.bytes,
});
