import type { SyncEvent } from './event.ts';
import type { Site } from './site.ts';

const NOTHING = 'Nothing.';

/** What a person must do after an event, as a sentence; it begins with `Nothing` where that is nothing. */
export function todoOf(event: SyncEvent): string {
  switch (event.kind) {
    case 'gap-detected':
      return 'Nothing: it is repaired by itself. When no "Sync complete" follows, look at the failed chunks on the board (/queues).';
    case 'repair-under-way':
      return 'Nothing: wait. More workers make it faster while the databases are calm.';
    case 'sync-complete':
      return event.remains?.length
        ? 'See what remains, and why: vm-sync status.'
        : 'Nothing: FAILBACK READY follows after enough clean checks.';
    case 'failback-ready':
      return event.direction.destination === 'primary'
        ? 'Fail back to primary when you like; ask once more just before: vm-sync ready --site primary'
        : 'Nothing: dr may take over at any time.';
    case 'ready-withdrawn':
      return 'Do not fail back until FAILBACK READY is told again; vm-sync status says what it waits for.';
    case 'direction-changed':
      return event.to === 'unknown'
        ? 'Mend DNS so that it names one of the two sites; vm-sync pin primary --for 2h (or dr) goes on meanwhile. Until then nothing is written.'
        : `Nothing when this is meant. Otherwise mend DNS or ACTIVE_SITE, or pin the right site: ${pin(event.from)}`;
    case 'pin-ended':
      return `Nothing when DNS or ACTIVE_SITE is right again. Otherwise: ${pin(event.site)}`;
    case 'check-unknown':
      return event.siteFailed
        ? 'See whether that VictoriaMetrics runs and can be reached from here: vm-sync doctor. What is missed meanwhile is repaired afterwards.'
        : 'Mend what the sentence names: vm-sync doctor says more.';
    case 'mark-started':
      return 'Nothing; vm-sync backfill --from … --to … proves older time.';
    case 'twins-differ':
      return event.finding.severity === 'fault'
        ? 'Mend it: vm-sync doctor shows all settings that differ, the runbook has the flags.'
        : NOTHING;
    case 'identity-doubted':
      return 'Mend the URL or ROLE. When it is the right database all the same: vm-sync accept --site primary (or dr).';
    case 'site-emptied':
      return `Nothing when ${event.site} has a new disk on purpose. Otherwise: vm-sync pause, and look at ${event.site}.`;
    case 'duty-taken':
      return event.over ? "Look at the other site's vm-sync: it is silent." : NOTHING;
    case 'repairs-stopped':
      return 'Mend what the sentence names; repairs go on by themselves then.';
    case 'beyond-repair':
      return event.followsToMs === null
        ? 'Nothing can be done about that time any more.'
        : 'Hurry: see why the rest is not repaired (vm-sync status), or raise the flag that is named.';
    case 'gap-stuck':
      return event.reason === null
        ? `Look at ${event.direction.destination}'s log, its disk and what stands before it; then restart it, or run the command that is named.`
        : `Mend what the sentence names (often a flag to raise on ${event.direction.destination}), then retry the failed chunks on the board (/queues).`;
    case 'run-cancelled':
      return 'Nothing when that was meant: the next check finds what is missing, and repairs it unless repairs are paused.';
    case 'gap-acknowledged':
      return 'Nothing more is told of it; see why it is stuck all the same: READY waits for it.';
    case 'backfill-started':
      return 'Nothing; vm-sync backfill list shows how far it is.';
    case 'backfill-paused':
      return `To go on: vm-sync backfill resume ${event.id}`;
    case 'backfill-given-up':
      return 'Nothing can be done about that time any more.';
    case 'backfill-refused':
      return 'Mend its --match, then ask for it again.';
    case 'surplus-found':
      return event.recovering
        ? 'Nothing: they are copied to the active site.'
        : 'Nothing when they are not wanted. To copy them to the active site: vm-sync reconcile';
    case 'values-differ':
      return 'Look at who writes the series that is named; vm-sync changes no value.';
    case 'direction-confirmed':
    case 'pinned':
    case 'unpinned':
    case 'sites-reached':
    case 'repairs-reopened':
    case 'duty-left':
    case 'repairs-go-on':
    case 'backfill-resumed':
    case 'backfill-cancelled':
    case 'backfill-complete':
    case 'surplus-gone':
    case 'reconcile-started':
    case 'reconcile-cancelled':
    case 'reconcile-complete':
      return NOTHING;
  }
}

const pin = (site: Site | 'unknown'): string =>
  `vm-sync pin ${site === 'unknown' ? 'primary (or dr)' : site} --for 2h`;
