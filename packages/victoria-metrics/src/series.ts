import type { Labels } from '@vm-sync/core';
import type { Endpoint } from './endpoint.ts';
import { type Grid, readGrid } from './grid.ts';
import { readLabelSet } from './label-set.ts';
import { MatrixError } from './matrix.ts';

/** A series of an answer. Its labels are read when asked for: most series of a check are equal, and nobody asks. */
export class AnsweredSeries {
  /**
   * The label set as the server wrote it, a character for each byte: an identity, not for people. It is a slice of what
   * came over the wire, and keeps that: whoever keeps a few of many for long copies them.
   */
  readonly metric: string;
  protected readonly endpoint: Endpoint;
  #labels: Labels | undefined;

  constructor(endpoint: Endpoint, metric: string) {
    this.metric = metric;
    this.endpoint = endpoint;
  }

  get labels(): Labels {
    this.#labels ??= readLabelSet(Buffer.from(this.metric, 'latin1'));
    if (!this.#labels) throw this.endpoint.strange('query', 'a series that cannot be read');
    return this.#labels;
  }
}

/** The counts of one series, a number for each bucket of the window; 0 where the server has no point. */
export class SeriesTally extends AnsweredSeries {
  /** May be shared between series with the same counts: never to be written to. */
  readonly samples: Float64Array;

  constructor(endpoint: Endpoint, metric: string, samples: Float64Array) {
    super(endpoint, metric);
    this.samples = samples;
  }
}

/** What tells apart buckets of equal counts (see `BucketTally` in the core). */
export class SeriesPrint extends AnsweredSeries {
  /** May be shared, as the counts of a `SeriesTally`. */
  readonly occupied: Float64Array;
  /** The prints as the server wrote them: equal texts are equal prints, different ones are compared by `print`. */
  readonly printText: string;
  readonly #grid: Grid;
  #print: Float64Array | undefined;

  constructor(
    endpoint: Endpoint,
    metric: string,
    occupied: Float64Array,
    printText: string,
    grid: Grid,
  ) {
    super(endpoint, metric);
    this.occupied = occupied;
    this.printText = printText;
    this.#grid = grid;
  }

  get print(): Float64Array {
    try {
      this.#print ??= readGrid(this.printText, this.#grid);
      return this.#print;
    } catch (error) {
      if (error instanceof MatrixError) throw this.endpoint.strange('query', error.message);
      throw error;
    }
  }
}
