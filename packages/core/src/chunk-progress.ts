import { formatAmount } from './progress.ts';

/** How far the copy of a chunk is. */
export interface CopiedSoFar {
  /** What the chunk was planned with. */
  readonly planned: number;
  /** Undefined while native blocks are copied, which are not opened. */
  readonly samples: number | undefined;
  readonly bytes: number;
}

/** In the board's own form: a sentence, and a share from 0 to 100 that it draws as a circle. */
export interface ChunkProgress {
  readonly says: string;
  readonly progress: number;
}

/** A copy is done when it was read back, however much was sent. */
const COPIED_MOST = 99;

/** `copying: 1.2 M of 3.4 M samples, 12 MB sent` */
export function chunkProgress({ planned, samples, bytes }: CopiedSoFar): ChunkProgress {
  const sent = `${bytes < 1e3 ? `${bytes} ` : formatAmount(bytes)}B sent`;
  if (samples === undefined) {
    return {
      says: `copying ${formatAmount(planned)} samples in native blocks: ${sent}`,
      progress: 0,
    };
  }
  const share = planned > 0 ? Math.floor((samples / planned) * 100) : 0;
  const all = samples <= planned ? ` of ${formatAmount(planned)}` : '';
  return {
    says: `copying: ${formatAmount(samples)}${all} samples, ${sent}`,
    progress: Math.min(COPIED_MOST, share),
  };
}
