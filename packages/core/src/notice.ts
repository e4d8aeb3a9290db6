import { type Severity, type SyncEvent, tell } from './event.ts';
import { todoOf } from './todo.ts';

/** What people are told of an event, wherever they read it. */
export interface Notice {
  readonly kind: string;
  readonly severity: Severity;
  readonly text: string;
  /** What a person must do. */
  readonly todo: string;
  readonly atMs: number;
  /** The event's own fields, for programs. */
  readonly details: Readonly<Record<string, unknown>>;
}

export function noticeOf(event: SyncEvent, atMs: number): Notice {
  const { kind, ...details } = event;
  const { severity, text } = tell(event);
  return { kind, severity, text, todo: todoOf(event), atMs, details };
}

const RANKS: Readonly<Record<Severity, number>> = { info: 0, warn: 1, error: 2 };

/** True when a receiver that wants nothing below `least` is told of this. */
export const isSevere = (severity: Severity, least: Severity): boolean =>
  RANKS[severity] >= RANKS[least];

/** After so long a message is marked with its time: it may not be true any more. */
const LATE_AFTER_MS = 3_600_000;

export const isLate = ({ atMs }: Pick<Notice, 'atMs'>, nowMs: number): boolean =>
  nowMs - atMs >= LATE_AFTER_MS;
