import type { Site } from './site.ts';

/**
 * What an error asks for, decided where the answer is read:
 * `retryable` - the same request may go through later; `busy` - the server asked for patience;
 * `too-big` - ask in smaller parts; `final` - a person has to change something first.
 */
export type ErrorKind = 'retryable' | 'busy' | 'too-big' | 'final';

/**
 * An error with a sentence that says what happened, where, for which window, and what to do. Its message is safe to
 * show: addresses in it carry no login.
 */
export class VmSyncError extends Error {
  override name = 'VmSyncError';
  readonly kind: ErrorKind;
  /** How long the server asked us to wait, where it did. */
  readonly retryAfterMs: number | undefined;
  /** True when a server did not answer in time: less at once may be fast enough. */
  readonly timedOut: boolean;
  /** The site that answered so, where one did. */
  readonly site: Site | undefined;

  constructor(
    kind: ErrorKind,
    message: string,
    options?: {
      readonly cause?: unknown;
      readonly retryAfterMs?: number | undefined;
      readonly timedOut?: boolean;
      readonly site?: Site | undefined;
    },
  ) {
    super(message, options?.cause === undefined ? undefined : { cause: options.cause });
    this.kind = kind;
    this.retryAfterMs = options?.retryAfterMs;
    this.site = options?.site;
    this.timedOut = options?.timedOut ?? false;
  }
}

/** The sentence of any thrown value; unknown errors keep their own words. */
export const errorText = (error: unknown): string =>
  error instanceof Error ? error.message || error.name : String(error);

/** Errors that vm-sync did not foresee are worth another try; they are not proof of anything. */
export const errorKind = (error: unknown): ErrorKind =>
  error instanceof VmSyncError ? error.kind : 'retryable';
