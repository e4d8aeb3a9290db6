import { PLAN_LIMITS, type PlanLimits } from './plan.ts';

/** How fast chunks have been of late: samples a second of one chunk, moving averages; null before the first. */
export interface ChunkRates {
  /** Of stretches that were empty and were copied whole. */
  readonly copyPerS: number | null;
  /** Of what was repaired by difference. */
  readonly differencePerS: number | null;
}

export const NO_RATES: ChunkRates = { copyPerS: null, differencePerS: null };

/** What a chunk did, and how long it took from beginning to verified. */
export interface TimedChunk {
  readonly mode: 'native' | 'lines' | 'difference' | 'none';
  readonly samples: number;
  readonly tookMs: number;
}

/** A chunk that lasts this long loses little when it has to be done again, and little to what every chunk costs. */
const CHUNK_S = 5;

/** Shorter chunks mostly tell what a chunk costs at the least, not how fast samples go. */
const TELLING_MS = 1_000;

/** How much one chunk moves the average. */
const WEIGHT = 0.3;

/** Bounds of what averages may lead to: hundreds of samples are not worth a job, and a slow start must not last. */
const LEAST = 100_000;
const MOST = 50_000_000;

/** The averages after some more chunks. */
export function learnRates(before: ChunkRates, chunks: readonly TimedChunk[]): ChunkRates {
  return chunks.reduce(learn, before);
}

function learn(rates: ChunkRates, { mode, samples, tookMs }: TimedChunk): ChunkRates {
  if (mode === 'none' || samples === 0 || tookMs <= 0) return rates;
  const key = mode === 'difference' ? 'differencePerS' : 'copyPerS';
  const limits = planLimits(rates);
  const full = mode === 'difference' ? limits.samplesPerDifference : limits.samplesPerCopy;
  // A chunk of full size tells how fast samples go however short it was: then the next ones may be larger.
  if (tookMs < TELLING_MS && samples < full / 2) return rates;
  const perS = (samples * 1_000) / tookMs;
  const average = rates[key] === null ? perS : rates[key] + WEIGHT * (perS - rates[key]);
  return { ...rates, [key]: average };
}

/** Chunks of about five seconds, by what recent ones took; what works by difference is also bounded by memory. */
export function planLimits(rates: ChunkRates): PlanLimits {
  const sized = (perS: number | null, otherwise: number, most: number): number =>
    perS === null ? otherwise : Math.round(Math.min(most, Math.max(LEAST, perS * CHUNK_S)));
  const { samplesPerCopy, samplesPerDifference } = PLAN_LIMITS;
  return {
    ...PLAN_LIMITS,
    samplesPerCopy: sized(rates.copyPerS, samplesPerCopy, MOST),
    samplesPerDifference: sized(rates.differencePerS, samplesPerDifference, samplesPerDifference),
  };
}
