import { type BeyondReason, beyondReasonText } from './beyond.ts';
import { type ConflictTotal, conflictText } from './conflict.ts';
import { formatDuration } from './duration.ts';
import { formatProgress, type Progress } from './progress.ts';
import {
  type Direction,
  type DirectionKey,
  directionOf,
  formatDirection,
  type Site,
} from './site.ts';
import { surplusText } from './surplus.ts';
import { findingText, type TwinFinding } from './twins.ts';
import { formatWindow, type Window } from './window.ts';
import { formatCount } from './wording.ts';

/** Everything worth telling, as plain data. Each is told once, at the change; its sentence is the same everywhere. */
export type SyncEvent =
  | {
      readonly kind: 'gap-detected';
      readonly direction: Direction;
      readonly gaps: number;
      readonly samples: number;
      /** True when the check ended before it had looked at all that is due. */
      readonly atLeast?: boolean | undefined;
      /** From the first of them to the last. */
      readonly window?: Window | undefined;
      /** The devices or metrics that lack most, in a few words. */
      readonly about?: string | undefined;
    }
  | {
      readonly kind: 'repair-under-way';
      readonly direction: Direction;
      readonly runId: string;
      readonly sinceMs: number;
      readonly progress: Progress;
      /** Why it is slower than it could be; null when it is not. */
      readonly slow: string | null;
    }
  | {
      readonly kind: 'sync-complete';
      readonly direction: Direction;
      readonly samples: number;
      readonly tookMs: number;
      /** What is still not equal, as sentences. */
      readonly remains?: readonly string[] | undefined;
    }
  | {
      readonly kind: 'failback-ready';
      readonly direction: Direction;
      readonly cleanChecks: number;
      /** Samples of the last query window that the destination lacks within GAP_THRESHOLD. */
      readonly tolerated: number;
      /** Windows in which the destination may lack what nobody can copy any more. */
      readonly beyondRepair: number;
      /** What the passive site has and the active one lacks; undefined when that is nothing. */
      readonly surplus?: string | undefined;
    }
  | { readonly kind: 'ready-withdrawn'; readonly reason: string }
  | {
      readonly kind: 'direction-changed';
      readonly from: Site | 'unknown';
      readonly to: Site | 'unknown';
      readonly reason: string;
    }
  | {
      readonly kind: 'direction-confirmed';
      readonly direction: Direction;
      readonly epoch: number;
      readonly reason: string;
    }
  | { readonly kind: 'pinned' | 'pin-ended'; readonly site: Site; readonly untilMs: number }
  | { readonly kind: 'unpinned'; readonly site: Site }
  /** `siteFailed`: a site could not be asked. */
  | {
      readonly kind: 'check-unknown';
      readonly reason: string;
      readonly siteFailed?: boolean | undefined;
    }
  | { readonly kind: 'sites-reached'; readonly tookMs: number }
  | { readonly kind: 'mark-started'; readonly sinceMs: number }
  | { readonly kind: 'repairs-reopened'; readonly site: Site; readonly windows: number }
  | { readonly kind: 'twins-differ'; readonly finding: TwinFinding }
  | { readonly kind: 'identity-doubted'; readonly reason: string }
  | { readonly kind: 'site-emptied'; readonly site: Site; readonly sinceMs: number }
  | {
      readonly kind: 'duty-taken';
      readonly site: Site;
      readonly reason: string;
      readonly over: boolean;
    }
  | { readonly kind: 'duty-left'; readonly site: Site; readonly reason: string }
  | { readonly kind: 'repairs-stopped'; readonly reason: string }
  | { readonly kind: 'repairs-go-on'; readonly reason: string | null }
  | {
      readonly kind: 'beyond-repair';
      readonly direction: Direction;
      readonly reason: BeyondReason;
      readonly windows: readonly Window[];
      /** Open time goes on to here, and gets too old as well unless it is repaired before; null when there is none. */
      readonly followsToMs: number | null;
    }
  | {
      readonly kind: 'gap-stuck';
      readonly direction: Direction;
      /** How many chunks are set aside, and the samples that the destination lacks in them. */
      readonly chunks: number;
      readonly samples: number;
      /** From the oldest of them to the newest. */
      readonly window: Window;
      readonly sinceMs: number;
      /** The first failed chunk's error; null where repairs were read back as complete. */
      readonly reason: string | null;
    }
  | {
      readonly kind:
        | 'backfill-started'
        | 'backfill-paused'
        | 'backfill-resumed'
        | 'backfill-cancelled'
        | 'backfill-given-up';
      readonly id: string;
      readonly direction: DirectionKey;
      readonly window: Window;
      readonly match: readonly string[];
    }
  | { readonly kind: 'backfill-refused'; readonly id: string; readonly reason: string }
  | {
      readonly kind: 'run-cancelled';
      readonly id: string;
      readonly direction: Direction;
      readonly who: string;
    }
  | {
      readonly kind: 'gap-acknowledged';
      readonly gaps: number;
      readonly samples: number;
      readonly who: string;
    }
  | {
      readonly kind: 'surplus-found';
      /** From the passive site, which has it, to the active one. */
      readonly direction: Direction;
      readonly samples: number;
      readonly series: number;
      readonly atLeast: boolean;
      readonly recovering: boolean;
    }
  | { readonly kind: 'surplus-gone'; readonly direction: Direction }
  | { readonly kind: 'values-differ'; readonly total: ConflictTotal }
  | {
      readonly kind: 'reconcile-started' | 'reconcile-cancelled' | 'reconcile-complete';
      readonly id: string;
      readonly direction: DirectionKey;
      readonly samples: number;
      readonly tookMs: number;
    }
  | {
      readonly kind: 'backfill-complete';
      readonly id: string;
      readonly window: Window;
      readonly samples: number;
      readonly tookMs: number;
    };

export type Severity = 'info' | 'warn' | 'error';

export interface Telling {
  readonly severity: Severity;
  /** A sentence for people; begins with what happened. */
  readonly text: string;
  /** Whether the receivers of messages hear of it; of what may be over at the next check only when it lasts. */
  readonly notify: boolean | 'when-it-lasts';
}

/** The one wording of an event, for log, status page and message alike. */
export function tell(event: SyncEvent): Telling {
  switch (event.kind) {
    case 'gap-detected': {
      const gaps = `${formatCount(event.gaps)} data gap${event.gaps === 1 ? '' : 's'} detected`;
      const least = event.atLeast ? 'at least ' : '';
      const what = `${least}${formatCount(event.samples)} samples missing on ${event.direction.destination}`;
      const where = event.window === undefined ? '' : `, in ${formatWindow(event.window)}`;
      const of = event.about ? `; ${event.about}` : '';
      return message(
        'warn',
        `⚠️ VM-Sync: ${gaps} (${what}, ${formatDirection(event.direction)}${where}${of})`,
      );
    }
    case 'repair-under-way': {
      const { direction, runId, progress, slow } = event;
      const why = slow === null ? '' : `; slower because ${slow}`;
      return message(
        'info',
        `⏳ VM-Sync: Repair under way: ${formatDirection(direction)}, ${formatProgress(progress)}, since ${iso(event.sinceMs)}, run ${runId}${why}`,
      );
    }
    case 'sync-complete': {
      const what = `${formatCount(event.samples)} samples repaired, ${formatDirection(event.direction)}`;
      return message(
        'info',
        `✅ VM-Sync: Sync complete (${what}, in ${formatDuration(event.tookMs)}${remainsText(event.remains)})`,
      );
    }
    case 'failback-ready': {
      const { source, destination } = event.direction;
      const what =
        event.tolerated === 0
          ? `${destination} holds everything that ${source} has`
          : `${destination} lacks ${formatCount(event.tolerated)} samples, within GAP_THRESHOLD`;
      const but =
        event.beyondRepair === 0
          ? ''
          : `, except ${windowsText(event.beyondRepair)} that no repair reaches`;
      const beside = event.surplus === undefined ? '' : `; ${event.surplus}`;
      const why = `${event.cleanChecks} clean checks in a row, ${what}${but}${beside}`;
      return message('info', `🟢 VM-Sync: FAILBACK READY (${why})`);
    }
    case 'ready-withdrawn':
      return whenItLasts('warn', `🔴 VM-Sync: READY WITHDRAWN (${event.reason})`);
    case 'direction-changed':
      return whenItLasts(
        'warn',
        `🔀 VM-Sync: Direction changed: active site ${event.from} → ${event.to} (${event.reason})`,
      );
    case 'direction-confirmed': {
      const { direction, epoch, reason } = event;
      return logged(
        'info',
        `Direction ${formatDirection(direction)} is confirmed (epoch ${epoch}, ${reason}): repairs may begin`,
      );
    }
    case 'pinned':
      return message(
        'warn',
        `📌 VM-Sync: Direction pinned: ${event.site} is the active site by hand until ${iso(event.untilMs)}, whatever DNS says; vm-sync unpin ends it`,
      );
    case 'unpinned':
      return message(
        'info',
        `📌 VM-Sync: Pin removed: ${event.site} was pinned by hand; the direction follows DNS or ACTIVE_SITE again`,
      );
    case 'pin-ended':
      return message(
        'warn',
        `📌 VM-Sync: Pin ended: ${event.site} was pinned by hand until ${iso(event.untilMs)}; the direction follows DNS or ACTIVE_SITE again`,
      );
    case 'check-unknown':
      // Of the others people are told otherwise: of a direction, of a wrong database.
      return event.siteFailed
        ? whenItLasts('warn', `🔌 VM-Sync: Check unknown: ${event.reason}`)
        : logged('warn', `Check unknown: ${event.reason}`);
    case 'sites-reached':
      return message(
        'info',
        `🔌 VM-Sync: Both sites can be asked again (after ${formatDuration(event.tookMs)})`,
      );
    case 'mark-started':
      return logged(
        'warn',
        `No verified-through mark found: proof begins at ${new Date(event.sinceMs).toISOString()}; what is older has not been proven`,
      );
    case 'repairs-reopened':
      return logged(
        'warn',
        `${event.site} restarted: ${event.windows} recently repaired window${event.windows === 1 ? ' is' : 's are'} checked again`,
      );
    case 'twins-differ': {
      const text = findingText(event.finding);
      if (event.finding.severity === 'fault') return message('error', `⚠️ VM-Sync: ${text}`);
      return logged('warn', `Settings compared: ${text}`);
    }
    case 'identity-doubted':
      return message('error', `🛑 VM-Sync: Nothing is written: ${event.reason}`);
    case 'site-emptied':
      return message(
        'warn',
        `⚠️ VM-Sync: ${event.site} was emptied: it holds nothing from before ${iso(event.sinceMs)} and carries no marker; it is marked anew and filled`,
      );
    case 'duty-taken': {
      const text = `${event.site}'s vm-sync repairs: ${event.reason}`;
      return event.over ? message('warn', `⚠️ VM-Sync: ${text}`) : logged('info', text);
    }
    case 'duty-left':
      return logged('info', `${event.site}'s vm-sync watches: ${event.reason}`);
    case 'repairs-stopped':
      return message('error', `🛑 VM-Sync: Repairs stopped: ${event.reason}`);
    case 'repairs-go-on':
      return logged('info', `Repairs go on${event.reason === null ? '' : `: ${event.reason}`}`);
    case 'beyond-repair': {
      const { direction, reason, windows, followsToMs } = event;
      const [first, ...more] = windows;
      const where = first ? formatWindow(first) : '';
      const others = more.length > 0 ? ` and ${windowsText(more.length)} more` : '';
      const follows =
        followsToMs === null
          ? ''
          : `; what is not proven from there to ${iso(followsToMs)} goes the same way as it ages`;
      return message(
        'warn',
        `⚠️ VM-Sync: Beyond repair: ${where}${others} was not proven (${formatDirection(direction)}) and is ${beyondReasonText(reason, direction)}${follows}; READY does not wait for it`,
      );
    }
    case 'gap-stuck': {
      const { direction, chunks, samples, window, sinceMs, reason } = event;
      if (reason !== null) {
        const more = chunks > 1 ? ` (and ${chunksText(chunks - 1)} more)` : '';
        return message('warn', `⚠️ VM-Sync: Gap stuck: ${reason}${more}`);
      }
      const what = `${direction.destination} lacks ${formatCount(samples)} samples in ${chunksText(chunks)}, ${formatWindow(window)}`;
      return message(
        'warn',
        `⚠️ VM-Sync: Gap stuck: ${what} (${formatDirection(direction)}), as before the repair of ${iso(sinceMs)}, which was read back as complete; look at ${direction.destination}'s log and at what stands before it; ${stuckUntilText(direction, window)}`,
      );
    }
    case 'backfill-started':
    case 'backfill-paused':
    case 'backfill-resumed':
    case 'backfill-cancelled':
    case 'backfill-given-up': {
      const where = formatDirection(directionOf(event.direction));
      const what = [formatWindow(event.window), ...event.match].join(' ');
      return logged(
        event.kind === 'backfill-given-up' ? 'warn' : 'info',
        `Backfill ${event.id} ${BACKFILL_WORDS[event.kind]}: ${where}, ${what}`,
      );
    }
    case 'run-cancelled':
      return logged(
        'warn',
        `Run ${event.id} (${formatDirection(event.direction)}) cancelled by ${event.who}: what it has not copied is still missing`,
      );
    case 'gap-acknowledged': {
      const gaps = `${formatCount(event.gaps)} stuck gap${event.gaps === 1 ? '' : 's'}`;
      return logged(
        'info',
        `${gaps} acknowledged by ${event.who} (${formatCount(event.samples)} samples): READY stays withheld`,
      );
    }
    case 'backfill-refused':
      return logged(
        'warn',
        `Backfill ${event.id} cancelled, a database refuses to look at it: ${event.reason}`,
      );
    case 'surplus-found': {
      const { direction, series, recovering } = event;
      const what = surplusText(event, recovering);
      const of = `${formatCount(series)} series, ${formatDirection(direction)}`;
      return logged('warn', `Only on ${direction.source}: ${what}; ${of}`);
    }
    case 'surplus-gone': {
      const { source, destination } = event.direction;
      return logged('info', `${destination} holds everything that ${source} has (again)`);
    }
    case 'values-differ':
      return logged('warn', `Values differ: ${conflictText(event.total)}`);
    case 'reconcile-started':
    case 'reconcile-cancelled':
    case 'reconcile-complete': {
      const where = formatDirection(directionOf(event.direction));
      const what =
        event.kind === 'reconcile-started'
          ? 'started'
          : `${event.kind === 'reconcile-complete' ? 'complete' : 'cancelled'}: ${formatCount(event.samples)} samples recovered in ${formatDuration(event.tookMs)}`;
      return logged('info', `Reconcile ${event.id} (${where}) ${what}`);
    }
    case 'backfill-complete': {
      const what = `${formatCount(event.samples)} samples repaired in ${formatDuration(event.tookMs)}`;
      return logged(
        'info',
        `Backfill ${event.id} complete: ${formatWindow(event.window)} is proven, ${what}`,
      );
    }
  }
}

const BACKFILL_WORDS = {
  'backfill-started': 'started',
  'backfill-paused': 'paused',
  'backfill-resumed': 'resumed',
  'backfill-cancelled': 'cancelled',
  'backfill-given-up': 'given up, it is older than what both sites keep',
} as const;

/** What ends the rest of a stuck gap, for people. */
export const stuckUntilText = ({ destination }: Direction, { fromMs, toMs }: Window): string =>
  `repaired again when ${destination} restarts, when the gap changes, after a day, or by vm-sync backfill --from ${iso(fromMs)} --to ${iso(toMs)}`;

const remainsText = (remains: readonly string[] | undefined): string => {
  if (remains === undefined) return '';
  return remains.length === 0 ? '; nothing remains' : `; what remains: ${remains.join('; ')}`;
};

const chunksText = (amount: number): string =>
  `${formatCount(amount)} chunk${amount === 1 ? '' : 's'}`;

const windowsText = (amount: number): string =>
  `${formatCount(amount)} window${amount === 1 ? '' : 's'}`;

const iso = (atMs: number): string => new Date(atMs).toISOString();

const message = (severity: Severity, text: string): Telling => ({ severity, text, notify: true });
const whenItLasts = (severity: Severity, text: string): Telling => ({
  severity,
  text,
  notify: 'when-it-lasts',
});
const logged = (severity: Severity, text: string): Telling => ({ severity, text, notify: false });
