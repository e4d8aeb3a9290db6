import type { SyncEvent } from './event.ts';
import { type Notice, noticeOf } from './notice.ts';
import type { CheckReport } from './report.ts';
import { type DirectionKey, directionKey, SITES, type Site } from './site.ts';

/** A change that people have not been told of, because it may be over at the next check. */
export interface Held {
  readonly notice: Notice;
  readonly sinceMs: number;
}

/** What people believe by the messages that they were sent, and what is held back. */
export interface Believed {
  /** The direction of which they were told READY; null when they were told of none, or of its end. */
  readonly ready: DirectionKey | null;
  /** `byUnknown`: READY was taken back by a check that found nothing out. */
  readonly withdrawal: (Held & { readonly byUnknown: boolean }) | null;
  /** The active site; null before the first one is known. */
  readonly site: Site | 'unknown' | null;
  readonly turn: (Held & { readonly site: Site | 'unknown' }) | null;
  /** What they were told could not be asked (`primary`, `primary and dr`, `queries`), and since when; null when all is well. */
  readonly failing: { readonly what: string; readonly sinceMs: number } | null;
  readonly failure: (Held & { readonly what: string; readonly fineSinceMs: number | null }) | null;
  /** Since when all can be asked again, while that is not told. */
  readonly fineSinceMs: number | null;
}

export const NOTHING_BELIEVED: Believed = {
  ready: null,
  withdrawal: null,
  site: null,
  turn: null,
  failing: null,
  failure: null,
  fineSinceMs: null,
};

export interface LastingLimits {
  /** What is still so at a check this long after it was first seen, lasts. */
  readonly lastsMs: number;
  /** Within this time READY comes back after a single check that found nothing out. */
  readonly readyBackMs: number;
}

export interface LastingStep {
  readonly believed: Believed;
  /** Held back until now; to be sent, in this order. */
  readonly due: readonly Notice[];
  /** To be told like any other. */
  readonly events: readonly SyncEvent[];
  /** True when people believe READY anyway: it was away for a moment, and they were not told. */
  readonly readyIsKnown: boolean;
}

/**
 * Decides which changes last: one failed check among good ones is not worth a message. `events` are those of this check,
 * `ready` is what it made of READY. Gaps are told at once, and READY is then withdrawn at once.
 */
export function noteLasting(
  before: Believed,
  seen: {
    readonly report: CheckReport;
    readonly events: readonly SyncEvent[];
    readonly ready: boolean;
  },
  limits: LastingLimits,
): LastingStep {
  const { atMs } = seen.report;
  const failure = noteFailure(before, seen, limits);
  const turn = noteTurn(before, seen, limits);
  const ready = noteReady(before, seen, limits);
  const events: SyncEvent[] =
    before.failing && !failure.failing
      ? [{ kind: 'sites-reached', tookMs: atMs - before.failing.sinceMs }]
      : [];
  const { due: failed, ...failing } = failure;
  const { due: turned, ...site } = turn;
  const { due: withdrawn, isKnown, ...readiness } = ready;
  return {
    believed: { ...failing, ...site, ...readiness },
    due: [turned, failed, withdrawn].filter((notice) => notice !== null),
    events,
    readyIsKnown: isKnown,
  };
}

type Seen = Parameters<typeof noteLasting>[1];

const noticed = (kind: SyncEvent['kind'], { events, report }: Seen): Notice | undefined => {
  const event = events.find((one) => one.kind === kind);
  return event && noticeOf(event, report.atMs);
};

/** Which sites a check could not ask, as one word; undefined when it could ask both. */
function failingIn({ report }: Seen): string | undefined {
  if (report.outcome !== 'unknown' || !report.siteFailed) return undefined;
  const silent = SITES.filter((site) => report.sites[site]?.healthy === false);
  return silent.length === 0 ? 'queries' : silent.join(' and ');
}

/**
 * A site that cannot be asked is told when two checks said so, good ones in between or not; that it can be asked again
 * when two checks in a row did. So a site that fails now and then is told once.
 */
function noteFailure(
  { failing, failure, fineSinceMs }: Believed,
  seen: Seen,
  { lastsMs }: LastingLimits,
): Pick<Believed, 'failing' | 'failure' | 'fineSinceMs'> & { readonly due: Notice | null } {
  const { atMs } = seen.report;
  const what = failingIn(seen);
  if (what === undefined) {
    const sinceMs = fineSinceMs ?? atMs;
    const lasts = atMs - sinceMs >= lastsMs;
    const kept = failure && { ...failure, fineSinceMs: failure.fineSinceMs ?? atMs };
    const over = kept && atMs - kept.fineSinceMs >= lastsMs;
    return {
      failing: lasts ? null : failing,
      failure: over ? null : kept,
      fineSinceMs: failing && !lasts ? sinceMs : null,
      due: null,
    };
  }
  const isTold = failing?.what === what;
  const notice = noticed('check-unknown', seen) ?? failure?.notice;
  if (isTold || !notice) return { failing, failure: null, fineSinceMs: null, due: null };
  const sinceMs = failure?.sinceMs ?? atMs;
  if (failure && atMs - sinceMs >= lastsMs) {
    const since = failing?.sinceMs ?? sinceMs;
    return { failing: { what, sinceMs: since }, failure: null, fineSinceMs: null, due: notice };
  }
  const held = { what, notice, sinceMs, fineSinceMs: null };
  return { failing, failure: held, fineSinceMs: null, due: null };
}

/** Another active site is told when two checks in a row saw it; the first one that is known is no change. */
function noteTurn(
  { site, turn }: Believed,
  seen: Seen,
  { lastsMs }: LastingLimits,
): Pick<Believed, 'site' | 'turn'> & { readonly due: Notice | null } {
  const { report } = seen;
  const now = report.active.site;
  if (site === null) return { site: now === 'unknown' ? null : now, turn: null, due: null };
  if (now === site) return { site, turn: null, due: null };
  if (turn?.site !== now) {
    const notice = noticed('direction-changed', seen);
    const held = notice ? { notice, site: now, sinceMs: report.atMs } : null;
    return { site, turn: held, due: null };
  }
  if (report.atMs - turn.sinceMs < lastsMs) return { site, turn, due: null };
  return { site: now, turn: null, due: turn.notice };
}

/**
 * READY is told at once, and so is its end when there is a gap. Otherwise its end is told when it lasts: after a check
 * that found nothing out, when another one finds nothing out either, or READY is not back when it could be.
 */
function noteReady(
  { ready, withdrawal }: Believed,
  seen: Seen,
  { lastsMs, readyBackMs }: LastingLimits,
): Pick<Believed, 'ready' | 'withdrawal'> & {
  readonly due: Notice | null;
  readonly isKnown: boolean;
} {
  const { report } = seen;
  if (seen.ready && report.outcome !== 'unknown') {
    const now = directionKey(report.direction);
    return { ready: now, withdrawal: null, due: null, isKnown: now === ready };
  }
  const notice = noticed('ready-withdrawn', seen) ?? withdrawal?.notice;
  if (ready === null || !notice) return { ready, withdrawal: null, due: null, isKnown: false };
  const sinceMs = withdrawal?.sinceMs ?? report.atMs;
  const forMs = report.atMs - sinceMs;
  const byUnknown = withdrawal?.byUnknown ?? report.outcome === 'unknown';
  const lasts =
    report.outcome === 'gaps' ||
    forMs >= readyBackMs ||
    (forMs >= lastsMs && (report.outcome === 'unknown' || !byUnknown));
  if (lasts) return { ready: null, withdrawal: null, due: notice, isKnown: false };
  return { ready, withdrawal: { notice, sinceMs, byUnknown }, due: null, isKnown: false };
}
