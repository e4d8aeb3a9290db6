import type { BackfillRange } from './backfill-wish.ts';
import { formatAmount } from './progress.ts';
import type { Direction } from './site.ts';
import type { Window } from './window.ts';

/** What repairs have shown of the speed with which samples are copied here. */
export interface MeasuredSpeed {
  readonly runs: number;
  readonly samplesPerS: number;
  readonly bytesPerSample: number;
}

/** The speed of settled runs, newest first, taken together; undefined when none of them copied anything. */
export function measuredSpeed(
  runs: readonly {
    readonly createdMs: number;
    readonly settledMs: number | null;
    readonly samplesCopied: number;
    readonly bytesCopied: number;
  }[],
): MeasuredSpeed | undefined {
  const told = runs
    .filter((run) => run.samplesCopied > 0 && run.settledMs !== null)
    .slice(0, SPEED_RUNS);
  if (told.length === 0) return undefined;
  let [samples, bytes, tookMs] = [0, 0, 0];
  for (const run of told) {
    samples += run.samplesCopied;
    bytes += run.bytesCopied;
    tookMs += Math.max(1, (run.settledMs ?? 0) - run.createdMs);
  }
  const samplesPerS = (samples / tookMs) * 1e3;
  return { runs: told.length, samplesPerS, bytesPerSample: bytes / samples };
}

/** So many runs are looked at: the last ones tell of today's load. */
const SPEED_RUNS = 10;

/** What a copy will probably move and take, and what that rests on. */
export interface CopyEstimate {
  readonly bytes: number;
  readonly bytesBasis: string;
  /** Null when no repair has been measured. */
  readonly takesMs: number | null;
  readonly timeBasis: string;
}

/** JSON lines, the widest way of copying, take about 20 bytes a sample (measured, 10,000 series at 15 s). */
const BYTES_PER_SAMPLE = 20;

/**
 * Estimates a copy by the speed of recent repairs. `unmeasured` says why there is none, and stands in the place of
 * what cannot be said.
 */
export function estimateCopy(
  samples: number,
  speed: MeasuredSpeed | undefined,
  unmeasured: string,
): CopyEstimate {
  if (!speed) {
    return {
      bytes: samples * BYTES_PER_SAMPLE,
      bytesBasis: `at the most: ${BYTES_PER_SAMPLE} bytes a sample as JSON lines; ${unmeasured}`,
      takesMs: null,
      timeBasis: unmeasured,
    };
  }
  const runs = speed.runs === 1 ? 'the last run' : `the last ${speed.runs} runs`;
  const each =
    speed.bytesPerSample < 9.95 ? speed.bytesPerSample.toFixed(1) : speed.bytesPerSample.toFixed(0);
  return {
    bytes: Math.round(samples * speed.bytesPerSample),
    bytesBasis: `${each} bytes a sample in ${runs}`,
    takesMs: Math.round((samples / speed.samplesPerS) * 1e3),
    timeBasis: `${formatAmount(speed.samplesPerS)} samples/s in ${runs}`,
  };
}

/** What a backfill would copy: the result of a dry run. */
export interface BackfillForecast extends BackfillRange, CopyEstimate {
  readonly direction: Direction;
  /** Where the destination lacks samples, oldest first. */
  readonly lacking: readonly Window[];
  /** The most series that lack samples at the same time. */
  readonly series: number;
  readonly samples: number;
  readonly chunks: number;
  /** True when there is more than was counted. */
  readonly atLeast: boolean;
  /** True when nothing lacks by counts, but not all of it could be compared exactly in the time of a dry run. */
  readonly byCountsOnly: boolean;
}

/** What a reconcile would copy: the result of a dry run. */
export interface ReconcileForecast extends CopyEstimate {
  /** From the passive site to the active one. */
  readonly direction: Direction;
  /** Where only the passive site has samples, oldest first. */
  readonly windows: readonly Window[];
  /** The most series that are concerned in the same slice of time. */
  readonly series: number;
  readonly samples: number;
  readonly chunks: number;
}
