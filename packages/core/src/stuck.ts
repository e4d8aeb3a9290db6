import { type SyncEvent, stuckUntilText } from './event.ts';
import type { Chunk } from './plan.ts';
import { type Direction, type DirectionKey, directionKey } from './site.ts';
import { formatWindow, intersect, makeWindow, subtractWindows, type Window } from './window.ts';

/** What was tried for one chunk, and did not keep its gap from coming back. */
export interface Attempt {
  readonly direction: DirectionKey;
  readonly window: Window;
  /** A digest of the chunk's selectors, in whatever order they came. */
  readonly selectors: string;
  /** How many samples the chunk lacked when it was planned. */
  readonly samples: number;
  readonly times: number;
  readonly firstMs: number;
  readonly lastMs: number;
  /** `done`: the repair was read back as complete; `short`: the destination accepted the samples and does not have them. */
  readonly outcome: 'done' | 'short';
  /** True when the gap was the same afterwards, and people were told. */
  readonly stuck: boolean;
  /** Who said that it is known and left as it is; absent when nobody did, or when the gap has changed since. */
  readonly acknowledged?: Acknowledgement | undefined;
}

/** A person's word that a stuck gap is known. It changes nothing of what is true: READY stays withheld. */
export interface Acknowledgement {
  readonly who: string;
  readonly atMs: number;
}

/** The chunks that were tried lately. */
export interface StuckMemory {
  readonly attempted: readonly Attempt[];
}

export const NOTHING_STUCK: StuckMemory = { attempted: [] };

const DAY_MS = 86_400_000;

/** A stuck gap is tried again by itself after this time: what holds it may have been mended without a restart. */
const AGAIN_AFTER_MS = DAY_MS;

/** What is still planned has been tried within a day; older attempts are of gaps that changed their shape. */
const FORGET_AFTER_MS = 2 * DAY_MS;

/** More than two runs have chunks; keeps the state at some hundreds of kilobytes at the most. */
const MOST_ATTEMPTS = 1_000;

type ChunkId = Pick<Attempt, 'direction' | 'window' | 'selectors'>;

const idOf = (direction: DirectionKey, { window, selectors }: Chunk): ChunkId => ({
  direction,
  window,
  selectors: digest([...selectors].sort().join('\n')),
});

const keyOf = ({ direction, window, selectors }: ChunkId): string =>
  `${direction} ${window.fromMs} ${window.toMs} ${selectors}`;

/** 64 bits of FNV-1a in two halves: enough to tell chunks of one window and one number of samples apart. */
const digest = (text: string): string => `${fnv1a(text, 0x811c9dc5)}${fnv1a(text, 0x1000193)}`;

function fnv1a(text: string, basis: number): string {
  let hash = basis;
  for (let at = 0; at < text.length; at++) {
    hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  }
  return (hash >>> 0).toString(16).padStart(8, '0');
}

/** True when a chunk was repaired within a day, and lacks as many samples as before. */
const holds = (attempt: Attempt, chunk: Chunk, nowMs: number): boolean =>
  attempt.outcome === 'done' &&
  attempt.samples === chunk.samples &&
  nowMs - attempt.lastMs < AGAIN_AFTER_MS;

export interface SetAsideStuck {
  readonly memory: StuckMemory;
  readonly toRepair: readonly Chunk[];
  readonly stuck: readonly Chunk[];
  readonly events: readonly SyncEvent[];
}

/**
 * Divides a plan into what a repair may change and what it did not change the last time; the latter is told when it is
 * new. Any number of plans may be divided in one check.
 */
export function setAsideStuck(
  memory: StuckMemory,
  direction: Direction,
  { chunks }: { readonly chunks: readonly Chunk[] },
  nowMs: number,
): SetAsideStuck {
  const attempts = byKey(memory);
  const toRepair: Chunk[] = [];
  const stuck: Chunk[] = [];
  const news: Attempt[] = [];
  for (const chunk of chunks) {
    const id = idOf(directionKey(direction), chunk);
    const attempt = attempts.get(keyOf(id));
    if (!attempt || !holds(attempt, chunk, nowMs)) {
      toRepair.push(chunk);
      forgetChanged(attempts, id, chunk);
      continue;
    }
    stuck.push(chunk);
    if (attempt.stuck) continue;
    const told = { ...attempt, stuck: true };
    attempts.set(keyOf(id), told);
    news.push(told);
  }
  return {
    memory: bounded([...attempts.values()], nowMs),
    toRepair,
    stuck,
    events: tellStuck(direction, news, null),
  };
}

/** A gap that lacks another number of samples now, or has grown or shrunk, is another gap. */
function forgetChanged(attempts: Map<string, Attempt>, id: ChunkId, { samples }: Chunk): void {
  for (const [key, attempt] of attempts) {
    const same = key === keyOf(id) && attempt.samples === samples;
    const { direction, selectors, window } = attempt;
    if (same || direction !== id.direction || selectors !== id.selectors) continue;
    if (intersect(window, id.window)) attempts.delete(key);
  }
}

/** Remembers chunks whose repair was read back as complete; the next plan shows whether it changed anything. */
export function noteRepaired(
  memory: StuckMemory,
  direction: Direction,
  chunks: readonly Chunk[],
  atMs: number,
): StuckMemory {
  const attempts = byKey(memory);
  for (const chunk of chunks) note(attempts, directionKey(direction), chunk, 'done', atMs);
  return bounded([...attempts.values()], atMs);
}

/**
 * Of chunks that were read back as complete, those that their destination has had since it started (as a check saw it
 * last): what was done before may have gone with a kill, and is no repair that changed nothing.
 */
export const doneSinceStart = (
  done: readonly { readonly chunk: Chunk; readonly doneMs: number }[],
  startedMs: number | null,
): Chunk[] => done.flatMap(({ chunk, doneMs }) => (doneMs > (startedMs ?? 0) ? chunk : []));

/** A chunk that failed for good because the destination does not have what it accepted. */
export interface ShortChunk {
  readonly chunk: Chunk;
  readonly failedMs: number;
  /** Its error: a sentence that names the cause, and what to do. */
  readonly reason: string;
}

/**
 * Remembers chunks that failed as short and are left alone (not those that are just tried again), and tells of those
 * that were not known.
 */
export function noteShort(
  memory: StuckMemory,
  direction: Direction,
  failed: readonly ShortChunk[],
  nowMs: number,
): { readonly memory: StuckMemory; readonly events: readonly SyncEvent[] } {
  const attempts = byKey(memory);
  const news: Attempt[] = [];
  let because: string | null = null;
  for (const { chunk, failedMs, reason } of failed) {
    const key = keyOf(idOf(directionKey(direction), chunk));
    const before = attempts.get(key);
    const known = before?.outcome === 'short' && before.stuck;
    if (!known || before.lastMs < failedMs) {
      note(attempts, directionKey(direction), chunk, 'short', failedMs);
    }
    // As long as it is among the failed jobs it is not forgotten, however long ago it failed.
    const now = {
      ...(attempts.get(key) as Attempt),
      lastMs: Math.max(nowMs, failedMs),
      stuck: true,
    };
    attempts.set(key, now);
    if (known) continue;
    news.push(now);
    because ??= reason;
  }
  return {
    memory: bounded([...attempts.values()], nowMs),
    events: tellStuck(direction, news, because),
  };
}

/** One more try of the same gap, or the first of another one. */
function note(
  attempts: Map<string, Attempt>,
  direction: DirectionKey,
  chunk: Chunk,
  outcome: Attempt['outcome'],
  atMs: number,
): void {
  const id = idOf(direction, chunk);
  const before = attempts.get(keyOf(id));
  const same = before?.samples === chunk.samples && before.outcome === outcome ? before : undefined;
  attempts.set(keyOf(id), {
    ...id,
    samples: chunk.samples,
    times: (same?.times ?? 0) + 1,
    firstMs: same?.firstMs ?? atMs,
    lastMs: atMs,
    outcome,
    stuck: same?.stuck ?? false,
    acknowledged: same?.acknowledged,
  });
}

/** The name of a stuck gap, for people and scripts: it is another gap when its window or its series change. */
export const stuckId = (attempt: ChunkId): string =>
  [attempt.direction, attempt.window.fromMs, attempt.window.toMs, attempt.selectors].join('.');

export interface Acknowledged {
  readonly memory: StuckMemory;
  /** Those that nobody had acknowledged before. */
  readonly gaps: readonly Attempt[];
}

/** Remembers a person's word about stuck gaps, by their names. The first word about each counts. */
export function acknowledgeStuck(
  { attempted }: StuckMemory,
  names: readonly string[],
  acknowledged: Acknowledgement,
): Acknowledged {
  const gaps = attempted.filter(
    (one) => one.stuck && !one.acknowledged && names.includes(stuckId(one)),
  );
  return {
    gaps,
    memory: {
      attempted: attempted.map((one) => (gaps.includes(one) ? { ...one, acknowledged } : one)),
    },
  };
}

/** To be called when the destination of a direction restarted: it may take now what it refused or lost before. */
export const forgetInto = (memory: StuckMemory, direction: DirectionKey): StuckMemory => ({
  attempted: memory.attempted.filter((attempt) => attempt.direction !== direction),
});

/** What is proven to be there is not stuck, whatever became of its repair. */
export const forgetProven = (
  memory: StuckMemory,
  direction: DirectionKey,
  proven: readonly Window[],
): StuckMemory => ({
  attempted: memory.attempted.filter(
    (attempt) =>
      attempt.direction !== direction || subtractWindows([attempt.window], proven).length > 0,
  ),
});

/** To be called when a person asks for a window to be repaired: everything that it touches is tried again. */
export const forgetWithin = (
  memory: StuckMemory,
  direction: DirectionKey,
  { fromMs, toMs }: Window,
): StuckMemory => ({
  attempted: memory.attempted.filter(
    ({ direction: of, window }) =>
      of !== direction || window.toMs <= fromMs || window.fromMs >= toMs,
  ),
});

/** How many samples are known to be stuck inside of a window; null when none are. */
export function stuckSamples(
  { attempted }: StuckMemory,
  direction: DirectionKey,
  window: Window,
): number | null {
  const inside = attempted.filter(
    (one) =>
      one.stuck &&
      one.direction === direction &&
      one.window.fromMs >= window.fromMs &&
      one.window.toMs <= window.toMs,
  );
  return inside.length === 0 ? null : sumOf(inside).samples;
}

/** Why READY waits for repaired gaps that came back the same; failed chunks speak for themselves. */
export function stuckReasons({ attempted }: StuckMemory, direction: Direction): string[] {
  const key = directionKey(direction);
  const stuck = attempted.filter(
    (one) => one.stuck && one.outcome === 'done' && one.direction === key,
  );
  if (stuck.length === 0) return [];
  const { samples, window, sinceMs } = sumOf(stuck);
  const what = `${samples} samples in ${chunksText(stuck.length)}, ${formatWindow(window)}`;
  return [
    `stuck since ${iso(sinceMs)}: ${what}: a repair that was read back as complete changed nothing; ${stuckUntilText(direction, window)}${acknowledgedText(stuck)}`,
  ];
}

function acknowledgedText(stuck: readonly Attempt[]): string {
  const known = stuck.flatMap(({ acknowledged }) => acknowledged ?? []);
  if (known.length === 0) return '';
  const by = [...new Set(known.map(({ who }) => who))].join(', ');
  return `; ${known.length === stuck.length ? '' : `${known.length} of them `}acknowledged by ${by}`;
}

const chunksText = (count: number): string => `${count} chunk${count === 1 ? '' : 's'}`;

const iso = (atMs: number): string => new Date(atMs).toISOString();

function sumOf(attempts: readonly Attempt[]): { samples: number; window: Window; sinceMs: number } {
  return {
    samples: attempts.reduce((sum, { samples }) => sum + samples, 0),
    window: makeWindow(
      Math.min(...attempts.map(({ window }) => window.fromMs)),
      Math.max(...attempts.map(({ window }) => window.toMs)),
    ),
    sinceMs: Math.min(...attempts.map(({ firstMs }) => firstMs)),
  };
}

/** One event for all that got stuck at once. */
function tellStuck(
  direction: Direction,
  news: readonly Attempt[],
  reason: string | null,
): SyncEvent[] {
  if (news.length === 0) return [];
  return [{ kind: 'gap-stuck', direction, chunks: news.length, ...sumOf(news), reason }];
}

const byKey = ({ attempted }: StuckMemory): Map<string, Attempt> =>
  new Map(attempted.map((attempt) => [keyOf(attempt), attempt]));

/** Without what is long gone, and no more than the state may hold: what is stuck first, then the newest. */
function bounded(attempts: readonly Attempt[], nowMs: number): StuckMemory {
  const kept = attempts.filter(({ lastMs }) => nowMs - lastMs < FORGET_AFTER_MS);
  if (kept.length <= MOST_ATTEMPTS) return { attempted: kept };
  const worth = [...kept].sort((a, b) => Number(b.stuck) - Number(a.stuck) || b.lastMs - a.lastMs);
  return { attempted: worth.slice(0, MOST_ATTEMPTS) };
}
