import { setTimeout as sleep } from 'node:timers/promises';
import {
  type Direction,
  type DutySituation,
  type DutyTimes,
  type DutyView,
  decideDuty,
  dutyTimes,
  errorText,
  formatDuration,
  type Identity,
  isFresh,
  judgeIdentity,
  LEASE_UNITS,
  mayHold,
  newestBeat,
  type Other,
  type OwnSamples,
  observeOther,
  otherSite,
  PATIENCE_UNITS,
  SITES,
  type Site,
  type Stance,
  strangerSince,
  VmSyncError,
} from '@vm-sync/core';
import { requestCheck } from './check.ts';
import type { SchedulerContext } from './context.ts';
import { giveUpRuns, hasChunksUnderWay } from './hand-over.ts';
import { emit } from './tell.ts';

/** Heartbeats come at least so often, however long the interval: a partner with a shorter one must not get impatient. */
const BEAT_MOST_MS = 10_000;

/** Where a flush is not allowed a new series shows within about this time (measured: 10.9 s at the most). */
const SHOWN_WITHIN_MS = 12_000;

/** A handover does not wait longer than this for a run to end: what is left of it is found again by the other. */
const LEAVE_WITHIN_MS = 600_000;

/** Workers look this often, and a little more, whether they may still write. */
const WORKERS_HEAR_MS = 1_500;

/** By the clock that nobody sets. */
const clock = (): number => performance.now();

type Parts = Omit<SchedulerContext, 'duty'>;

/** What a check has found out of who is who. */
interface Known {
  readonly direction: Direction;
  readonly identity: Identity;
}

type Looked = Partial<Readonly<Record<Site, OwnSamples>>>;

/**
 * Whether this vm-sync repairs, or watches the other one do it: by heartbeats in both VMs, on a timer of its own, so that
 * long checks do not matter. While it repairs it lends its workers the right to write, for a little longer than a
 * heartbeat, and never for as long as the other's patience lasts.
 */
export class Duty {
  readonly #parts: Parts;
  readonly #times: DutyTimes;
  readonly #closing = new AbortController();
  #known: Known | undefined;
  /** False while the last check could not find out which site is which. */
  #certain = false;
  #stance: Stance = 'watch';
  #other: Other = strangerSince(clock());
  /** When the other's newest heartbeat was first seen, by the wall clock: for people. */
  #otherSeenMs = 0;
  /** Of our own newest heartbeat; the next one is later, also when the clock was set back. */
  #ownAtMs = 0;
  /** Until then our last heartbeat carries us. */
  #heldUntilMs = Number.NEGATIVE_INFINITY;
  /** When all that a repair needs was last there. */
  #ableMs = clock();
  #leavingSinceMs: number | undefined;
  #gaveUp = false;
  #unable: string | null = 'no check has found out yet which site is which';
  #ticking: Promise<void> = Promise.resolve();

  constructor(parts: Parts) {
    this.#parts = parts;
    this.#times = dutyTimes(parts.config.checkIntervalMs);
  }

  /** Beats until it is closed. */
  async run(): Promise<void> {
    const { signal } = this.#closing;
    const everyMs = Math.min(this.#times.intervalMs / 2, BEAT_MOST_MS);
    while (!signal.aborted) {
      await sleep(everyMs, undefined, { signal }).catch(() => {});
      if (!signal.aborted) await this.#tick(true);
    }
  }

  /** Workers may go on for as long as they were told: another scheduler of this site may follow at once. */
  close(): void {
    this.#closing.abort();
  }

  /** True while runs may be started. */
  get mayRepair(): boolean {
    return this.#stance === 'duty' && clock() < this.#heldUntilMs;
  }

  /**
   * Told by every check that knows which site is which. Returns when it is known whether this vm-sync repairs: at once
   * where it does so already, in the same direction. A check that has made its plans already asks for another one then.
   */
  async know(direction: Direction, identity: Identity, late: boolean): Promise<void> {
    const goesOn = this.mayRepair && this.#known?.direction.source === direction.source;
    this.#known = { direction, identity };
    this.#certain = true;
    const tick = this.#tick(late);
    if (!goesOn) await tick;
  }

  /** Told by every check that could not find it out. What it was before still says who stands beside the destination. */
  async doubt(reason: string): Promise<void> {
    this.#certain = false;
    this.#unable = reason;
    await this.#tick(false);
  }

  /** Told by every check that found the wrong VM: nothing may be written any more, at once. */
  async refuse(reason: string): Promise<void> {
    await this.#ticking;
    this.#known = undefined;
    this.#unable = reason;
    await this.#fall();
    await this.#show();
  }

  view(): DutyView {
    const { last } = this.#other;
    return {
      atMs: Date.now(),
      role: this.#parts.config.role,
      stance: this.#stance,
      unable: this.#unable,
      other: last && {
        seenMs: this.#otherSeenMs,
        onDuty: last.beat.onDuty,
        fresh: isFresh(this.#situation()),
      },
    };
  }

  /** One at a time. What fails is tried again by the next, as long as our last heartbeat carries us and longer. */
  #tick(askForCheck: boolean): Promise<void> {
    this.#ticking = this.#ticking.then(async () => {
      await this.#step(askForCheck).catch((error: unknown) => {
        this.#unable = errorText(error);
        this.#parts.log.debug({ err: error }, 'no heartbeat was written');
      });
      await this.#show();
    });
    return this.#ticking;
  }

  async #step(askForCheck: boolean): Promise<void> {
    const known = this.#known;
    if (!known) return;
    if (this.#stance !== 'watch' && clock() >= this.#heldUntilMs) await this.#fall();
    const looked = await this.#look(known);
    this.#observe(looked);
    const complete = this.#certain && SITES.every((site) => looked[site]);
    if (complete) {
      this.#ableMs = clock();
      this.#unable = null;
    }
    // Whoever cannot repair must not keep the other from it: it falls silent.
    if (clock() - this.#ableMs >= PATIENCE_UNITS * this.#times.unitMs) return;
    const decision = decideDuty(this.#situation());
    if (decision === 'hold') return this.#hold(known, 'duty');
    if (decision === 'leave') return this.#leave(known);
    if (!complete) return;
    if (decision === 'claim') return this.#claim(known, askForCheck);
    return this.#watch();
  }

  async #watch(): Promise<void> {
    await this.#beatIdle();
    if (this.#gaveUp || !this.#other.last?.beat.onDuty || !isFresh(this.#situation())) return;
    // The other repairs: what our own runs have not done is not ours to do any more.
    await giveUpRuns(this.#parts);
    this.#gaveUp = true;
  }

  async #claim(known: Known, askForCheck: boolean): Promise<void> {
    const heard = this.#other.last !== null;
    let beganMs = clock();
    await this.#beat(true, SITES);
    if (!(await this.#makeVisible())) {
      await sleep(SHOWN_WITHIN_MS, undefined, { signal: this.#closing.signal });
      beganMs = clock();
      await this.#beat(true, SITES);
    }
    const looked = await this.#look(known);
    this.#observe(looked);
    const complete = SITES.every((site) => looked[site]);
    if (!complete || !mayHold(this.#situation())) return this.#beatIdle();
    this.#carry(beganMs, 'duty');
    await this.#lend();
    this.#gaveUp = false;
    await this.#tellTaken(known, heard);
    if (askForCheck) await requestCheck(this.#parts, 'duty');
  }

  async #tellTaken({ direction }: Known, heard: boolean): Promise<void> {
    const { role } = this.#parts.config;
    const beside = role === direction.destination;
    const silent = `nothing was heard of ${otherSite(role)}'s vm-sync for ${formatDuration(PATIENCE_UNITS * this.#times.unitMs)}`;
    const reason = beside ? `it stands beside the destination` : silent;
    await emit(this.#parts, { kind: 'duty-taken', site: role, reason, over: heard && !beside });
  }

  /** A heartbeat that reached the destination carries us on; that the source does not take it is borne for a while. */
  async #hold({ direction }: Known, stance: 'duty' | 'leave'): Promise<void> {
    const beganMs = clock();
    await this.#beat(true, [direction.destination]);
    // A process that was stopped in the middle of this may have been taken for dead meanwhile.
    if (clock() >= this.#heldUntilMs) return this.#fall();
    this.#carry(beganMs, stance);
    await this.#lend();
    await this.#write(true, [direction.source]).catch((error: unknown) => {
      this.#parts.log.debug({ err: error }, 'no heartbeat was written to the source');
    });
  }

  #carry(beganMs: number, stance: 'duty' | 'leave'): void {
    this.#heldUntilMs = beganMs + LEASE_UNITS * this.#times.unitMs;
    this.#stance = stance;
    if (stance === 'duty') this.#leavingSinceMs = undefined;
  }

  /** The end of the right to write is an instant of Redis' clock: whatever holds us up does not make it later. */
  async #lend(): Promise<void> {
    const { dutyStore } = this.#parts;
    const redisMs = await dutyStore.nowMs();
    await dutyStore.lendUntil(redisMs + this.#heldUntilMs - clock());
  }

  /** Starts nothing new, lets what is under way end, then says so. */
  async #leave(known: Known): Promise<void> {
    this.#leavingSinceMs ??= clock();
    const patient = clock() - this.#leavingSinceMs < LEAVE_WITHIN_MS;
    if (patient && (await hasChunksUnderWay(this.#parts))) return this.#hold(known, 'leave');
    const { role } = this.#parts.config;
    await giveUpRuns(this.#parts);
    await this.#fall();
    await sleep(WORKERS_HEAR_MS, undefined, { signal: this.#closing.signal });
    await this.#beatIdle();
    const reason = `${otherSite(role)}'s vm-sync, which stands beside the destination, is there`;
    await emit(this.#parts, { kind: 'duty-left', site: role, reason });
  }

  async #fall(): Promise<void> {
    this.#stance = 'watch';
    this.#leavingSinceMs = undefined;
    this.#heldUntilMs = Number.NEGATIVE_INFINITY;
    this.#gaveUp = false;
    await this.#parts.dutyStore.takeBack();
  }

  #situation(): DutySituation {
    return {
      stance: this.#stance,
      beside: this.#known?.direction.destination === this.#parts.config.role,
      other: this.#other,
      nowMs: clock(),
      times: this.#times,
    };
  }

  /**
   * The destination must answer; that the source does not is seen by its absence. Between two checks a VM may have been
   * replaced: to what a check would refuse, no heartbeat is written either.
   */
  async #look({ direction, identity }: Known): Promise<Looked> {
    const { source, destination } = direction;
    const { databases } = this.#parts;
    const { signal } = this.#closing;
    const [there, here] = await Promise.all([
      databases[source].own(signal).catch(() => undefined),
      databases[destination].own(signal),
    ]);
    if (!there) return { [destination]: here };
    const looked = { [source]: there, [destination]: here } as Record<Site, OwnSamples>;
    const carried = { primary: looked.primary.markers, dr: looked.dr.markers };
    const judged = judgeIdentity(identity, carried, direction);
    if (judged.kind === 'refused') {
      await this.#fall();
      throw new VmSyncError('retryable', judged.reason);
    }
    if (judged.unmarked.length > 0) {
      const where = judged.unmarked.join(' and ');
      throw new VmSyncError('retryable', `no marker of vm-sync is seen on ${where} yet`);
    }
    return looked;
  }

  #observe(looked: Looked): void {
    const { role } = this.#parts.config;
    const beats = Object.values(looked).flatMap(({ heartbeats }) => heartbeats);
    const of = (site: Site) => beats.filter((beat) => beat.site === site);
    const before = this.#other.last;
    this.#other = observeOther(this.#other, of(otherSite(role)), clock());
    if (this.#other.last !== before) this.#otherSeenMs = Date.now();
    this.#ownAtMs = Math.max(this.#ownAtMs, newestBeat(of(role))?.atMs ?? 0);
  }

  /** A scheduler that was killed has left workers behind that may go on for a while: nothing is said meanwhile. */
  async #beatIdle(): Promise<void> {
    if ((await this.#parts.dutyStore.lentForMs()) === 0) await this.#beat(false, SITES);
  }

  /** A new heartbeat. */
  async #beat(onDuty: boolean, sites: readonly Site[]): Promise<void> {
    this.#ownAtMs = Math.max(Date.now(), this.#ownAtMs + 1);
    await this.#write(onDuty, sites);
  }

  async #write(onDuty: boolean, sites: readonly Site[]): Promise<void> {
    const { config, databases } = this.#parts;
    const beat = { site: config.role, onDuty, atMs: this.#ownAtMs };
    const { signal } = this.#closing;
    await Promise.all(sites.map((site) => databases[site].writeHeartbeat(beat, signal)));
  }

  async #makeVisible(): Promise<boolean> {
    const { databases } = this.#parts;
    const { signal } = this.#closing;
    const both = await Promise.all(SITES.map((site) => databases[site].makeVisible(signal)));
    return both.every((visible) => visible);
  }

  async #show(): Promise<void> {
    if (this.#closing.signal.aborted) return;
    await this.#parts.dutyStore.saveView(this.view()).catch((error: unknown) => {
      this.#parts.log.debug({ err: error }, 'the duty could not be shown');
    });
  }
}
