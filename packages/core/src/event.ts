import { formatDuration } from './duration.ts';
import { type Direction, formatDirection, type Site } from './site.ts';

/** Everything worth telling, as plain data. Each is told once, at the change; its sentence is the same everywhere. */
export type SyncEvent =
  | {
      readonly kind: 'gap-detected';
      readonly direction: Direction;
      readonly gaps: number;
      readonly samples: number;
    }
  | {
      readonly kind: 'sync-complete';
      readonly direction: Direction;
      readonly samples: number;
      readonly tookMs: number;
    }
  | {
      readonly kind: 'failback-ready';
      readonly direction: Direction;
      readonly cleanChecks: number;
      /** Samples of the last query window that the destination lacks within GAP_THRESHOLD. */
      readonly tolerated: number;
    }
  | { readonly kind: 'ready-withdrawn'; readonly reason: string }
  | {
      readonly kind: 'direction-changed';
      readonly from: Site | 'unknown';
      readonly to: Site | 'unknown';
      readonly reason: string;
    }
  | { readonly kind: 'check-unknown'; readonly reason: string }
  | { readonly kind: 'mark-started'; readonly sinceMs: number }
  | { readonly kind: 'repairs-reopened'; readonly site: Site; readonly windows: number };

export type Severity = 'info' | 'warn' | 'error';

export interface Telling {
  readonly severity: Severity;
  /** A sentence for people; begins with what happened. */
  readonly text: string;
  /** Whether NOTIFY_WEBHOOK hears of it. */
  readonly notify: boolean;
}

/** The one wording of an event, for log, status page and message alike. */
export function tell(event: SyncEvent): Telling {
  switch (event.kind) {
    case 'gap-detected': {
      const gaps = `${count(event.gaps)} data gap${event.gaps === 1 ? '' : 's'} detected`;
      const what = `${count(event.samples)} samples missing on ${event.direction.destination}`;
      return message('warn', `⚠️ VM-Sync: ${gaps} (${what}, ${formatDirection(event.direction)})`);
    }
    case 'sync-complete': {
      const what = `${count(event.samples)} samples repaired, ${formatDirection(event.direction)}`;
      return message(
        'info',
        `✅ VM-Sync: Sync complete (${what}, in ${formatDuration(event.tookMs)})`,
      );
    }
    case 'failback-ready': {
      const { source, destination } = event.direction;
      const what =
        event.tolerated === 0
          ? `${destination} holds everything that ${source} has`
          : `${destination} lacks ${count(event.tolerated)} samples, within GAP_THRESHOLD`;
      const why = `${event.cleanChecks} clean checks in a row, ${what}`;
      return message('info', `🟢 VM-Sync: FAILBACK READY (${why})`);
    }
    case 'ready-withdrawn':
      return logged('warn', `FAILBACK READY withdrawn: ${event.reason}`);
    case 'direction-changed':
      return logged('warn', `Active site: ${event.from} → ${event.to} (${event.reason})`);
    case 'check-unknown':
      return logged('warn', `Check unknown: ${event.reason}`);
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
  }
}

const message = (severity: Severity, text: string): Telling => ({ severity, text, notify: true });
const logged = (severity: Severity, text: string): Telling => ({ severity, text, notify: false });

const count = (amount: number): string => new Intl.NumberFormat('en-US').format(amount);
