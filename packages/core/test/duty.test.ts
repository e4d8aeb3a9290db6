import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  type DutySituation,
  type DutyTimes,
  decideDuty,
  dutyText,
  dutyTimes,
  type Heartbeat,
  LEASE_UNITS,
  mayHold,
  newestBeat,
  type Other,
  observeOther,
  otherSite,
  SITES,
  type Site,
  type Stance,
  strangerSince,
} from '../src/index.ts';

const times: DutyTimes = { intervalMs: 100, unitMs: 100 };
const beat = (onDuty: boolean, atMs = 5): Heartbeat => ({ site: 'dr', onDuty, atMs });

const situation = (more: Partial<DutySituation>): DutySituation => ({
  stance: 'watch',
  beside: true,
  other: strangerSince(0),
  nowMs: 0,
  times,
  ...more,
});
const heard = (onDuty: boolean, seenMs: number): Other => ({
  sinceMs: 0,
  last: { beat: beat(onDuty), seenMs },
});

describe('who repairs', () => {
  test('a lone vm-sync beside the destination at once, the other one after three intervals', () => {
    expect(decideDuty(situation({}))).toBe('claim');
    expect(decideDuty(situation({ beside: false, nowMs: 299 }))).toBe('watch');
    expect(decideDuty(situation({ beside: false, nowMs: 300 }))).toBe('claim');
  });

  test('the one beside the destination, while the other watches', () => {
    expect(decideDuty(situation({ other: heard(false, 0), nowMs: 1 }))).toBe('claim');
    expect(decideDuty(situation({ beside: false, other: heard(true, 0), nowMs: 299 }))).toBe(
      'watch',
    );
    expect(decideDuty(situation({ beside: false, other: heard(false, 0), nowMs: 299 }))).toBe(
      'watch',
    );
  });

  test('the other takes over after three units without a change, and gives up when the first is back', () => {
    const other = heard(true, 0);
    expect(decideDuty(situation({ beside: false, other, nowMs: 300 }))).toBe('claim');
    expect(decideDuty(situation({ beside: false, stance: 'duty', other, nowMs: 300 }))).toBe(
      'hold',
    );
    const back = observeOther(other, [beat(false, 6)], 350);
    expect(decideDuty(situation({ beside: false, stance: 'duty', other: back, nowMs: 360 }))).toBe(
      'leave',
    );
    expect(decideDuty(situation({ beside: false, stance: 'leave', other: back, nowMs: 700 }))).toBe(
      'hold',
    );
  });

  test('the one beside the destination waits while the other is on duty, however old its clock is', () => {
    const before = observeOther(strangerSince(0), [beat(true, 5)], 10);
    expect(decideDuty(situation({ other: before, nowMs: 309 }))).toBe('watch');
    expect(decideDuty(situation({ other: before, nowMs: 310 }))).toBe('claim');
    const same = observeOther(before, [beat(true, 5)], 200);
    expect(same.last?.seenMs).toBe(10);
    const gaveUp = observeOther(before, [beat(false, 6)], 20);
    expect(decideDuty(situation({ other: gaveUp, nowMs: 21 }))).toBe('claim');
  });

  test('a claim holds unless the other claims too, or stands beside the destination', () => {
    expect(mayHold(situation({ other: heard(false, 0) }))).toBe(true);
    expect(mayHold(situation({ other: heard(true, 0) }))).toBe(false);
    expect(mayHold(situation({ beside: false, other: heard(false, 0) }))).toBe(false);
    expect(mayHold(situation({ beside: false, other: heard(true, 0), nowMs: 300 }))).toBe(true);
  });

  test('of two heartbeats of one time the one on duty counts', () => {
    expect(newestBeat([beat(true), beat(false)])?.onDuty).toBe(true);
    expect(newestBeat([beat(false), beat(true)])?.onDuty).toBe(true);
    expect(newestBeat([beat(true), beat(false, 6)])?.onDuty).toBe(false);
    expect(observeOther(heard(false, 0), [beat(true)], 9).last?.seenMs).toBe(9);
  });

  test('short intervals leave time for busy machines', () => {
    expect(dutyTimes(1_000)).toEqual({ intervalMs: 1_000, unitMs: 2_500 });
    expect(dutyTimes(120_000)).toEqual({ intervalMs: 120_000, unitMs: 120_000 });
  });

  test('it is said in words', () => {
    const view = { atMs: 0, role: 'primary', stance: 'watch', unable: null, other: null } as const;
    const other = { seenMs: 1_000, onDuty: true, fresh: true };
    const texts = [
      { ...view, stance: 'duty' as const },
      { ...view, other },
      { ...view, other: { ...other, onDuty: false } },
      { ...view, other: { ...other, fresh: false } },
      { ...view, other, stance: 'leave' as const },
      { ...view, unable: 'no way' },
      view,
    ].map((one) => dutyText(one, 3_000));
    expect(texts).toEqual([
      "repairs (dr's vm-sync has never been heard of)",
      "watches: dr's vm-sync repairs, heartbeat 2s ago",
      "watches: dr's vm-sync is about to repair, heartbeat 2s ago",
      "watches: dr's vm-sync is silent, heartbeat 2s ago",
      "hands over to dr's vm-sync, when its run has ended (heartbeat 2s ago)",
      "cannot repair: no way (dr's vm-sync has never been heard of)",
      "waits whether dr's vm-sync repairs",
    ]);
  });
});

/** One vm-sync, step by step, in the order in which the scheduler does it. */
class Model {
  readonly site: Site;
  beside: boolean;
  /** Its workers may write until then; outlives the scheduler, as the lease in Redis does. */
  leaseMs = Number.NEGATIVE_INFINITY;
  #world: World;
  #steps: (() => void)[] = [];
  #stance: Stance = 'watch';
  #other!: Other;
  #heldMs = Number.NEGATIVE_INFINITY;
  #ownAtMs = 0;
  #beganMs = 0;

  constructor(site: Site, world: World, beside: boolean) {
    this.site = site;
    this.beside = beside;
    this.#world = world;
    this.kill();
  }

  kill(): void {
    this.#steps = [];
    this.#stance = 'watch';
    this.#heldMs = Number.NEGATIVE_INFINITY;
    this.#ownAtMs = 0;
    this.#other = strangerSince(this.#world.nowMs);
  }

  step(): void {
    if (this.#steps.length === 0) this.#steps.push(() => this.#begin());
    this.#steps.shift()?.();
  }

  #situation(): DutySituation {
    const { nowMs } = this.#world;
    return { stance: this.#stance, beside: this.beside, other: this.#other, nowMs, times };
  }

  #begin(): void {
    if (this.#stance !== 'watch' && this.#world.nowMs >= this.#heldMs) this.#fall();
    this.#look();
    this.#steps.push(() => this.#decide());
  }

  #decide(): void {
    const decision = decideDuty(this.#situation());
    if (decision === 'watch') return void this.#steps.push(...this.#beatIdle());
    if (decision === 'hold') {
      this.#steps.push(...this.#beat(true), () => {
        if (this.#world.nowMs >= this.#heldMs) this.#fall();
        else this.#carry('duty');
      });
      return;
    }
    if (decision === 'leave') {
      this.#fall();
      this.#steps.push(...this.#beatIdle());
      return;
    }
    this.#steps.push(
      ...this.#beat(true),
      () => this.#world.flush(),
      () => this.#look(),
      () => {
        if (mayHold(this.#situation())) this.#carry('duty');
        else this.#steps.push(...this.#beatIdle());
      },
    );
  }

  #look(): void {
    const beats = this.#world.visible();
    const of = (site: Site) => beats.filter((one) => one.site === site);
    this.#other = observeOther(this.#other, of(otherSite(this.site)), this.#world.nowMs);
    this.#ownAtMs = Math.max(this.#ownAtMs, newestBeat(of(this.site))?.atMs ?? 0);
  }

  /** A scheduler that was killed has left workers behind that may go on for a while: nothing is said meanwhile. */
  #beatIdle(): (() => void)[] {
    return this.#world.nowMs < this.leaseMs ? [] : this.#beat(false);
  }

  #beat(onDuty: boolean): (() => void)[] {
    return [
      () => {
        this.#beganMs = this.#world.nowMs;
      },
      () => {
        this.#ownAtMs = Math.max(this.#world.clockOf(this.site), this.#ownAtMs + 1);
        this.#world.write({ site: this.site, onDuty, atMs: this.#ownAtMs });
      },
    ];
  }

  #carry(stance: Stance): void {
    this.#stance = stance;
    this.#heldMs = this.#beganMs + LEASE_UNITS * times.unitMs;
    this.leaseMs = this.#heldMs;
  }

  #fall(): void {
    this.#stance = 'watch';
    this.#heldMs = Number.NEGATIVE_INFINITY;
    this.leaseMs = Number.NEGATIVE_INFINITY;
  }
}

/** What is written shows after a while, or when it is flushed. */
class World {
  nowMs = 0;
  readonly #skewMs: number;
  readonly #delayMs: number;
  #written: { readonly beat: Heartbeat; readonly fromMs: number }[] = [];

  constructor(skewMs: number, delayMs: number) {
    this.#skewMs = skewMs;
    this.#delayMs = delayMs;
  }

  clockOf(site: Site): number {
    return 1_000_000 + this.nowMs + (site === 'dr' ? this.#skewMs : 0);
  }

  write(one: Heartbeat): void {
    this.#written.push({ beat: one, fromMs: this.nowMs + this.#delayMs });
  }

  flush(): void {
    this.#written = this.#written.map((one) => ({ ...one, fromMs: this.nowMs }));
  }

  visible(): Heartbeat[] {
    return this.#written.filter(({ fromMs }) => fromMs <= this.nowMs).map(({ beat: one }) => one);
  }
}

const command = fc.record({
  site: fc.constantFrom<Site>('primary', 'dr'),
  what: fc.oneof(
    { weight: 60, arbitrary: fc.constant('step' as const) },
    { weight: 2, arbitrary: fc.constant('kill' as const) },
    { weight: 1, arbitrary: fc.constant('turn' as const) },
  ),
  afterMs: fc.oneof(
    { weight: 12, arbitrary: fc.constantFrom(0, 1, 5, 20) },
    { weight: 1, arbitrary: fc.integer({ min: 50, max: 700 }) },
  ),
});

test('two vm-syncs are never on duty at the same time, whatever is killed, held up or turned', () => {
  let held = { primary: 0, dr: 0 };
  fc.assert(
    fc.property(
      fc.array(command, { minLength: 50, maxLength: 400 }),
      fc.constantFrom(-600_000, 0, 600_000),
      fc.constantFrom(0, 30),
      fc.boolean(),
      (commands, skewMs, delayMs, bothBeside) => {
        const world = new World(skewMs, delayMs);
        const models = {
          primary: new Model('primary', world, bothBeside),
          dr: new Model('dr', world, true),
        };
        for (const { site, what, afterMs } of commands) {
          world.nowMs += afterMs;
          if (what === 'kill') models[site].kill();
          else if (what === 'turn') models[site].beside = !models[site].beside;
          else models[site].step();
          const writing = SITES.filter((one) => world.nowMs < models[one].leaseMs);
          expect(writing.length).toBeLessThan(2);
          for (const one of writing) held = { ...held, [one]: held[one] + 1 };
        }
      },
    ),
    { numRuns: 2_000 },
  );
  // Both had it at times, or nothing was shown.
  expect(Math.min(held.primary, held.dr)).toBeGreaterThan(1_000);
});
