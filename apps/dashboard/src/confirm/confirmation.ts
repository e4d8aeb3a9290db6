import type { Context } from '../context.ts';
import type { Part } from '../page/html.ts';

/** What a person is told before something is done, and what is sent when they agree. */
export interface Confirmation {
  /** A question: `Pause repairs?` */
  readonly title: string;
  /** Paragraphs: what will happen, and what will not. */
  readonly says: readonly Part[];
  /** Where the form goes, and its hidden fields. */
  readonly post: string;
  readonly fields?: readonly (readonly [string, string])[];
  readonly button: string;
}

/** Throws a `VmSyncError` (or what its wish's reader throws) where there is nothing to confirm. */
export type Confirm = (context: Context, query: URLSearchParams) => Promise<Confirmation>;

/** Something that cannot be confirmed because of what was asked, or of how things stand. */
export class NothingToConfirmError extends Error {
  override name = 'NothingToConfirmError';
  readonly status: 400 | 404 | 409;

  constructor(status: 400 | 404 | 409, sentence: string) {
    super(sentence);
    this.status = status;
  }
}

/** A field of the query; empty where it is absent. */
export const textOf = (query: URLSearchParams, name: string): string =>
  (query.get(name) ?? '').trim();
