import {
  beingBackfilled,
  cancelReconcile,
  changeBackfill,
  type DirectionKey,
  directionFrom,
  directionKey,
  forgetWithin,
  isUnfinished,
  makeWindow,
  removePin,
  SITES,
  type SyncState,
  setPin,
  spanOf,
  startBackfill,
  startReconcile,
  VmSyncError,
} from '../../src/index.ts';
import type { Eyes } from './eyes.ts';
import type { Act, Story } from './history.ts';
import { Broken } from './oracle.ts';
import {
  assertChecked,
  assertDone,
  assertRepaired,
  assertSent,
  assertSettled,
  assertSettledTwice,
} from './properties.ts';
import { VmSync } from './vm-sync.ts';
import { bucketEnd, EVERY_MS, type Sample, SERIES, STEP_MS, World } from './world.ts';

/** Plays a history, and asserts the properties at every step and of its end. */

export interface Played {
  /** Acts, checks, and checks that left READY. */
  acts: number;
  checks: number;
  ready: number;
}

/** After so many rounds without a fault all is repaired, and READY is said. */
const ROUNDS_MOST = 16;

export async function play(story: Story, eyes: Eyes, counts: Played): Promise<void> {
  const player = new Player(story, eyes, counts);
  for (const act of story.acts) {
    counts.acts += 1;
    await player.apply(act);
  }
  await player.end(story.mended);
}

class Player {
  readonly #world = new World();
  readonly #vmSync: VmSync;
  readonly #counts: Played;
  #wishes = 0;
  /** By how much vm-sync's clock was ahead at the most: what was noted then is waited for as long. */
  #aheadMs = 0;

  constructor({ settings }: Story, eyes: Eyes, counts: Played) {
    this.#vmSync = new VmSync(this.#world, settings, eyes);
    this.#counts = counts;
  }

  async apply(act: Act): Promise<void> {
    const world = this.#world;
    switch (act.act) {
      case 'time passes':
        return world.pass(act.s * 1_000);
      case 'all is well':
        for (let round = 0; round < act.rounds; round++) await this.#round(120_000);
        return;
      case 'check':
        world.pass(1_000);
        return this.#check(act.trouble, act.end);
      case 'work':
        return this.#work(act.chunks, act.how);
      case 'settle':
        return this.#settle(act.how);
      case 'lose':
        return world.lose(act.site, this.#lost(act));
      case 'each loses another sample': {
        const window = this.#window(act.back, 1);
        const { series } = act;
        const both = world
          .samplesIn('primary', series, window)
          .filter((atMs) => world.sites.dr.held[series].has(atMs));
        const [first, last] = [both[0], both.at(-1)];
        if (first === undefined || last === undefined || first === last) return;
        world.lose('primary', [{ series, atMs: first }]);
        return world.lose('dr', [{ series, atMs: last }]);
      }
      case 'late sample': {
        const atMs = this.#window(act.back, 1).fromMs + 123_000 + (this.#counts.acts % 7);
        return world.add(act.site, { series: 'a', atMs });
      }
      case 'cut off':
      case 'reached again':
        world.sites[act.site].cutOff = act.act === 'cut off';
        return;
      case 'killed':
        return world.restart(act.site, act.forgetS * 1_000);
      case 'backup':
        return world.keepBackup(act.site);
      case 'restored':
      case 'emptied':
        return world.replace(act.site, act.act === 'restored' ? 'backup' : 'nothing');
      case 'limit':
        world.sites[act.site].maxBackfillAgeMs =
          act.acceptsH === null ? undefined : act.acceptsH * 3_600_000;
        return;
      default:
        return this.#ask(act);
    }
  }

  /** What people and other machines do beside the databases. */
  #ask(act: Act): void {
    const [world, vmSync] = [this.#world, this.#vmSync];
    switch (act.act) {
      case 'DNS':
        vmSync.dns = act.says;
        break;
      case 'lease':
        vmSync.lease = act.says === 'nobody' ? null : act.says;
        break;
      case 'pin': {
        const atMs = world.clockMs;
        const pin = { site: act.site, untilMs: atMs + act.forS * 1_000, atMs };
        vmSync.heard.push({ says: act.site, sure: true, atMs });
        vmSync.change((state) => setPin(state, pin).state);
        break;
      }
      case 'unpin':
        vmSync.change((state) => removePin(state).state);
        break;
      case 'clock':
        this.#setClock(act.aheadS * 1_000);
        break;
      case 'backfill': {
        const match = act.match === 'all' ? [] : [`{series="${act.match}"}`];
        this.#backfill(this.#window(act.back, act.buckets), match);
        break;
      }
      case 'backfills':
        vmSync.change((state) =>
          state.backfills
            .filter(isUnfinished)
            .reduce(
              (now, { id }) => changeBackfill(now, id, act.change, world.clockMs).state,
              state,
            ),
        );
        break;
      case 'reconcile':
        this.#wishes += 1;
        vmSync.change((state) =>
          state.reconcile?.state === 'open'
            ? cancelReconcile(state, world.clockMs).state
            : ifPossible(state, () =>
                startReconcile(state, { id: `r${this.#wishes}`, requestedMs: world.clockMs }),
              ),
        );
        break;
      case 'old state file': {
        const one = vmSync.saved.at(-act.saves);
        if (one) vmSync.restore(one);
        break;
      }
      default:
        throw new Error(`unknown act ${act.act}`);
    }
  }

  #setClock(aheadMs: number): void {
    const [world, vmSync] = [this.#world, this.#vmSync];
    world.setClock(aheadMs);
    this.#aheadMs = Math.max(this.#aheadMs, aheadMs);
    // What was noted by the clock before is of another time.
    const { state, ledger } = vmSync.load();
    if (world.clockWasSet) vmSync.save({ state, ledger: { ...ledger, failedMs: null } });
  }

  #backfill(window: ReturnType<typeof makeWindow>, match: readonly string[]): void {
    this.#wishes += 1;
    const id = `b${this.#wishes}`;
    const requestedMs = this.#world.clockMs;
    this.#vmSync.change((state) =>
      ifPossible(state, () => {
        const started = startBackfill(state, { id, window, match, requestedMs });
        const [key] = started.state.backfills.flatMap((one) =>
          one.id === id ? one.direction : [],
        );
        const stuck = forgetWithin(started.state.stuck, key as DirectionKey, window);
        return { state: { ...started.state, stuck } };
      }),
    );
  }

  /** So many buckets, of which the newest is that many buckets back. */
  #window(back: number, buckets: number) {
    const toMs = bucketEnd(this.#world.nowMs) - back * STEP_MS;
    return makeWindow(toMs - buckets * STEP_MS, toMs);
  }

  #lost({ site, back, buckets, what }: Extract<Act, { act: 'lose' }>): Sample[] {
    const window = this.#window(back, buckets);
    return SERIES.filter((one) => (what !== 'a' && what !== 'b' ? true : one === what)).flatMap(
      (series) =>
        this.#world
          .samplesIn(site, series, window)
          .filter((atMs) => what !== 'one of each bucket' || atMs % STEP_MS < EVERY_MS)
          .map((atMs) => ({ series, atMs })),
    );
  }

  async #check(...how: Parameters<VmSync['check']>): Promise<void> {
    const checked = await this.#vmSync.check(...how);
    this.#counts.checks += 1;
    if (checked.after.state.failbackReady) this.#counts.ready += 1;
    assertChecked(this.#vmSync, checked);
  }

  #work(most: number, how: Parameters<VmSync['work']>[1]): Promise<void> {
    return this.#vmSync.work(most, how, {
      sent: (run, samples) => assertSent(this.#vmSync, run, samples),
      done: (run, chunk) => assertDone(this.#vmSync, run, chunk),
    });
  }

  #settle(how: Parameters<VmSync['settle']>[0]): void {
    this.#vmSync.settle(how, (before, after, twice) =>
      (twice ? assertSettledTwice : assertSettled)(before, after),
    );
  }

  async #round(ms: number): Promise<void> {
    this.#world.pass(ms);
    await this.#check('nothing', 'saved');
    await this.#work(1_000, 'nothing');
    this.#settle('once');
    this.#world.pass(16_000);
  }

  /** No more faults: within some rounds, and what its reasons ask of people, READY comes and nothing is missing. */
  async end(mended: Story['mended']): Promise<void> {
    const [world, vmSync] = [this.#world, this.#vmSync];
    this.#setClock(0);
    vmSync.dns = 'primary';
    vmSync.lease = null;
    vmSync.change((state) => removePin(state).state);
    for (const site of SITES) world.sites[site].cutOff = false;
    // Only what was lost without a word after it was read back looks stuck, and what a clock ahead has dated.
    if (world.hasLied || this.#aheadMs > 0) {
      await this.#work(1_000, 'nothing');
      this.#settle('once');
      if (mended === 'by restarts') for (const site of SITES) world.restart(site, 0);
      else world.pass(90_000_000);
    }
    world.pass(this.#aheadMs);
    const active = directionKey(directionFrom('primary'));
    for (let round = 0; round < ROUNDS_MOST; round++) {
      await this.#round(600_000);
      const { state } = vmSync.load();
      if (state.failbackReady) break;
      this.#obey(state, active);
    }
    const { state } = vmSync.load();
    if (!state.failbackReady) {
      throw new Broken(`2: no READY after ${ROUNDS_MOST} rounds: ${state.reasons.join('; ')}`);
    }
    assertRepaired(vmSync, active, active);
    if (vmSync.settings.both) {
      assertRepaired(vmSync, directionKey(directionFrom('dr')), active);
    }
  }

  /** Does what the reasons ask of people. */
  #obey(state: SyncState, key: DirectionKey): void {
    const paused = state.backfills.filter((one) => one.state === 'paused');
    for (const { id } of paused) {
      this.#vmSync.change((now) => changeBackfill(now, id, 'resume', this.#world.clockMs).state);
    }
    const differing = spanOf(state.history[key]?.differing ?? []);
    if (differing && !beingBackfilled(state.backfills, key, differing))
      this.#backfill(differing, []);
  }
}

/** A person who asks for what cannot be done now is told so; nothing changes. */
function ifPossible(state: SyncState, act: () => { readonly state: SyncState }): SyncState {
  try {
    return act().state;
  } catch (error) {
    if (error instanceof VmSyncError) return state;
    throw error;
  }
}
