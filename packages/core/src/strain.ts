import { formatDuration } from './duration.ts';
import type { Site } from './site.ts';

/** What one look at a site's VictoriaMetrics found. What `/metrics` does not say, or is not asked, is undefined. */
export interface SiteLoad {
  /** How long a small query that touches data took. */
  readonly latencyMs: number;
  /** Requests that are being served, and how many the server serves at a time. */
  readonly inserts: Slots | undefined;
  readonly selects: Slots | undefined;
  /** Since its start: requests that had to wait because all of its slots were in use. */
  readonly waits: number | undefined;
  /** Rows that are not yet written to disk. */
  readonly pendingRows: number | undefined;
  /** Since its start: rows stored in all, and those whose series had to be looked up or registered first. */
  readonly rows: number | undefined;
  readonly slowRows: number | undefined;
  /** Of the disk, and how much of it VictoriaMetrics leaves free (`-storage.minFreeDiskSpaceBytes`). */
  readonly freeBytes: number | undefined;
  readonly keptFreeBytes: number | undefined;
  readonly readOnly: boolean | undefined;
}

export interface Slots {
  readonly used: number;
  readonly capacity: number;
}

/** One site as the governor finds it at one tick. */
export interface SiteReading {
  readonly site: Site;
  readonly role: 'source' | 'destination';
  readonly atMs: number;
  /** The load, or the sentence that says why there is no reading. */
  readonly load: SiteLoad | string;
  /** How often it answered 429 or 503 to workers since the tick before. */
  readonly busyAnswers: number;
}

/** What is remembered of a site between two readings: what is usual there, and its counters. */
export interface SiteMemory {
  readonly atMs: number;
  /** Moving average of the latencies that were found calm; null before the first. */
  readonly usualMs: number | null;
  readonly waits: number | null;
  readonly rows: number | null;
  readonly slowRows: number | null;
}

/**
 * What a reading asks for: `stop` - nothing may be written there; `blind` - no reading, so as slow as can be;
 * `struggling` - slow down; `full` - do not speed up. A calm site has no strain.
 */
export interface Strain {
  readonly kind: 'stop' | 'blind' | 'struggling' | 'full';
  /** A sentence without its end; for a stop also what to do. */
  readonly text: string;
}

/** Answers are slow when they take five times as long as usual, within these bounds. */
const SLOW_TIMES = 5;
const SLOW_LEAST_MS = 500;
const SLOW_MOST_MS = 1_000;

/** Between calm and struggling nothing changes, so that the pace does not swing. */
const CALM_SHARE = 0.8;

/** Copying at full speed on two cores left at most 2.4 million rows pending (measured): these are a backlog. */
const PENDING_ROWS = 20_000_000;

/**
 * Two cores that did nothing else registered 75,000 (1.79) and 105,000 (1.145) new series in a second (measured); a
 * quarter of that is felt by the site's own writers. The share is that of VictoriaMetrics' own alert.
 */
const SLOW_ROWS_PER_S = 20_000;
const SLOW_ROWS_SHARE = 0.05;

/** Repairs leave room for the site's own samples; stopped for want of it they go on when there is twice as much. */
const SPARE_BYTES = 500_000_000;

/**
 * Judges one reading by what is remembered of the site; the worst strain, undefined for a calm site. `stopped` says
 * that repairs are stopped now: then more free disk is asked for, and a site that says nothing stays stopped.
 */
export function strainOf(
  reading: SiteReading,
  memory: SiteMemory | undefined,
  stopped: boolean,
): Strain | undefined {
  const { site, role, load, busyAnswers } = reading;
  if (typeof load === 'string') return { kind: 'blind', text: `${site} gave no reading (${load})` };
  if (role === 'destination') {
    const reason = whyNothingFits(site, load, stopped);
    if (reason) return { kind: 'stop', text: reason };
  }
  const struggle =
    busyText(site, busyAnswers) ??
    slowText(site, load, memory, 1) ??
    slotsText(site, load, memory, 0) ??
    backlogText(site, load, 1) ??
    slowRowsText(reading, load, memory, 1);
  if (struggle) return { kind: 'struggling', text: struggle };
  const full =
    slowText(site, load, memory, CALM_SHARE) ??
    slotsText(site, load, memory, 1) ??
    backlogText(site, load, CALM_SHARE) ??
    slowRowsText(reading, load, memory, CALM_SHARE);
  return full ? { kind: 'full', text: full } : undefined;
}

/** What is remembered of a site after a reading. A latency becomes usual only when the site was calm. */
export function remember(
  { atMs, load }: SiteReading,
  before: SiteMemory | undefined,
  calm: boolean,
): SiteMemory | undefined {
  if (typeof load === 'string') return before;
  const usualMs = before?.usualMs ?? null;
  const learned = usualMs === null ? load.latencyMs : usualMs + (load.latencyMs - usualMs) / 10;
  return {
    atMs,
    usualMs: calm ? learned : usualMs,
    waits: load.waits ?? null,
    rows: load.rows ?? null,
    slowRows: load.slowRows ?? null,
  };
}

function whyNothingFits(site: Site, load: SiteLoad, stopped: boolean): string | undefined {
  const mend = 'free disk space there, or give it a larger disk; repairs then go on by themselves';
  if (load.readOnly === true) {
    return `${site} is read-only, its disk is full (-storage.minFreeDiskSpaceBytes): ${mend}`;
  }
  if (load.freeBytes === undefined) return undefined;
  const spare = load.freeBytes - (load.keptFreeBytes ?? 0);
  if (spare >= (stopped ? 2 : 1) * SPARE_BYTES) return undefined;
  const left = `${gigabytes(Math.max(0, spare))} of free disk left before it becomes read-only`;
  return `${site} has ${left}: ${mend}`;
}

const gigabytes = (bytes: number): string => `${(bytes / 1e9).toFixed(1)} GB`;

const busyText = (site: Site, answers: number): string | undefined =>
  answers > 0
    ? `${site} asked for patience (429 or 503) ${answers} time${answers === 1 ? '' : 's'}`
    : undefined;

function slowText(
  site: Site,
  { latencyMs }: SiteLoad,
  memory: SiteMemory | undefined,
  share: number,
): string | undefined {
  const usualMs = memory?.usualMs ?? undefined;
  const slowMs =
    usualMs === undefined
      ? SLOW_MOST_MS
      : Math.min(Math.max(SLOW_TIMES * usualMs, SLOW_LEAST_MS), SLOW_MOST_MS);
  if (latencyMs < slowMs * share) return undefined;
  const usually = usualMs === undefined ? '' : ` (usually ${secondsText(usualMs)})`;
  return `${site} answers queries in ${secondsText(latencyMs)}${usually}`;
}

const secondsText = (ms: number): string =>
  ms < 50 ? formatDuration(Math.max(1, ms)) : `${(ms / 1000).toFixed(1)} s`;

/** All slots in use (or, with `spare`, all but so many), or requests that had to wait since the last reading. */
function slotsText(
  site: Site,
  { inserts, selects, waits }: SiteLoad,
  memory: SiteMemory | undefined,
  spare: number,
): string | undefined {
  for (const [slots, what] of [
    [inserts, 'writing'],
    [selects, 'reading'],
  ] as const) {
    if (slots && slots.used > 0 && slots.used + spare >= slots.capacity) {
      return `${site} has ${slots.used} of ${slots.capacity} slots for ${what} in use`;
    }
  }
  const waited = growth(waits, memory?.waits);
  return waited > 0 ? `${site} let ${waited} requests wait for a free slot` : undefined;
}

const backlogText = (site: Site, { pendingRows }: SiteLoad, share: number): string | undefined =>
  pendingRows !== undefined && pendingRows >= PENDING_ROWS * share
    ? `${site} has ${Math.round(pendingRows / 1e6)} million rows waiting to be written`
    : undefined;

function slowRowsText(
  { site, atMs }: SiteReading,
  load: SiteLoad,
  memory: SiteMemory | undefined,
  share: number,
): string | undefined {
  const tookMs = atMs - (memory?.atMs ?? atMs);
  if (tookMs <= 0) return undefined;
  const slowRows = growth(load.slowRows, memory?.slowRows);
  const perS = Math.round((slowRows * 1000) / tookMs);
  const rows = growth(load.rows, memory?.rows);
  if (perS < SLOW_ROWS_PER_S * share || slowRows < rows * SLOW_ROWS_SHARE) return undefined;
  return `${site} looks up ${perS} series a second for new rows (slow inserts)`;
}

/** Counters begin anew when their server restarts. */
const growth = (now: number | undefined, before: number | null | undefined): number =>
  now === undefined || before === null || before === undefined ? 0 : Math.max(0, now - before);
