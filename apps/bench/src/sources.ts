import type { VmVersion } from '@vm-sync/testkit';
import { importStream, makeFolder, type Range } from './data.ts';
import { generateLines, type LeftOut, type Shape, samplesOf } from './generate.ts';

/** Generated data, ready for any number of servers to start with. */
export interface Source extends Range {
  readonly version: VmVersion;
  readonly folder: string;
  readonly series: number;
  readonly samples: number;
}

const HOUR_MS = 3_600_000;
const GRID_MS = 300_000;
/** So old is the newest sample of what is copied: nothing of it is in flight any more. */
const AGE_MS = 2 * GRID_MS;

/** The data of the workloads, generated once for the whole bench. */
export class Sources {
  readonly #scale: number;
  readonly #say: (line: string) => void;
  readonly #twoDays = new Map<VmVersion, Source>();

  constructor(scale: number, say: (line: string) => void) {
    this.#scale = scale;
    this.#say = say;
  }

  /** Series at this scale, at least as many as make sense. */
  series(atFullScale: number): number {
    return Math.max(10, Math.round(atFullScale * this.#scale));
  }

  /** 10,000 series × 48 h at 15 s. */
  async twoDays(version: VmVersion): Promise<Source> {
    let source = this.#twoDays.get(version);
    if (!source) {
      const range = settledRange(48 * HOUR_MS);
      source = await this.make(version, { ...range, series: this.series(10_000), stepMs: 15_000 });
      this.#twoDays.set(version, source);
    }
    return source;
  }

  /** A source of any shape; `leftOut` says what it lacks. */
  async make(version: VmVersion, shape: Shape, leftOut?: LeftOut): Promise<Source> {
    const startedMs = performance.now();
    const folder = await makeFolder(version, (server) =>
      importStream(server, generateLines(shape, leftOut)),
    );
    const { series, fromMs, toMs } = shape;
    const samples = samplesOf(shape);
    const tookS = ((performance.now() - startedMs) / 1000).toFixed(1);
    this.#say(`  ${samples} samples of ${series} series generated in ${tookS} s (${version})`);
    return { version, folder, series, samples, fromMs, toMs };
  }
}

/** A range of this length whose samples have all settled. */
export function settledRange(lengthMs: number): Range {
  const toMs = Math.floor((Date.now() - AGE_MS) / GRID_MS) * GRID_MS;
  return { fromMs: toMs - lengthMs, toMs };
}

/** A QUERY_WINDOW that reaches back to this time, from now on for a while. */
export const windowBackTo = (fromMs: number): number =>
  Math.ceil((Date.now() - fromMs) / GRID_MS + 1) * GRID_MS;
