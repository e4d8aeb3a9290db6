import {
  type CheckReport,
  directionFrom,
  EMPTY_STATE,
  formatSelector,
  type Mark,
  makeWindow,
  NO_IDENTITY,
  parseSelectors,
  type SyncState,
} from '@vm-sync/core';
import { describe, expect, test } from 'vitest';
import { type CheckSettings, checkGaps, NOTHING_SET_ASIDE, type Plan } from '../src/index.ts';
import { ACTIVE } from './active.ts';
import { FakeDatabase } from './fake-database.ts';

const minute = 60_000;
const hour = 60 * minute;
const scope = parseSelectors('{__name__!="",__name__!~"vmsync_.+"}');
const settings: CheckSettings = {
  role: 'primary',
  scope,
  stepMs: minute,
  settleMs: minute,
  queryWindowMs: hour,
  threshold: 1,
  proveMs: Number.POSITIVE_INFINITY,
  surveyMs: 0,
  surplusMs: 0,
  recover: 'asked',
};

/** A pair of VMs over time: every check goes on with the state of the one before. */
class Stage {
  nowMs = Math.floor(Date.now() / minute) * minute;
  primary = new FakeDatabase('primary');
  dr = new FakeDatabase('dr');
  state: SyncState = EMPTY_STATE;
  readonly plans: Plan[] = [];
  identified = 0;

  async check(marks = true): Promise<CheckReport> {
    const result = await checkGaps(
      {
        sites: { primary: this.primary, dr: this.dr },
        resolveActive: async () => ACTIVE,
        now: () => this.nowMs,
        ...(marks ? { newPair: () => 'the pair' } : {}),
        identified: async () => {
          this.identified += 1;
        },
        setAside: async () => NOTHING_SET_ASIDE,
        setAsideRecoveries: async () => NOTHING_SET_ASIDE,
        begin: async (plan) => void this.plans.push(plan),
      },
      settings,
      this.state,
    );
    this.state = result.state;
    return result.report;
  }

  /** Samples of so many series on both sites, up to now. */
  feed(series: number, sites = [this.primary, this.dr]): void {
    const timestamps = Array.from({ length: 60 }, (_, at) => this.nowMs - at * minute);
    for (const site of sites) {
      for (let at = 0; at < series; at += 1) {
        site.store({ __name__: 'up', instance: `${at}` }, timestamps);
      }
    }
  }

  later(ms: number): void {
    this.nowMs += ms;
  }
}

/** After some checks, when the markers count as kept. */
async function settled(series = 40): Promise<Stage> {
  const stage = new Stage();
  stage.feed(series);
  for (let at = 0; at < 3; at += 1) {
    expect((await stage.check()).outcome).toBe('clean');
    stage.later(minute);
    stage.feed(series);
  }
  return stage;
}

describe('who is who', () => {
  test('the scheduler marks both VMs at the first check, everybody else only looks', async () => {
    const stage = new Stage();
    stage.feed(3);
    await stage.check(false);
    expect([stage.primary.markers, stage.dr.markers]).toEqual([[], []]);
    await stage.check();
    const atMs = stage.nowMs;
    expect(stage.primary.markers).toEqual([{ site: 'primary', pair: 'the pair', atMs }]);
    expect(stage.dr.markers).toEqual([{ site: 'dr', pair: 'the pair', atMs }]);
    stage.later(hour - 1);
    await stage.check();
    expect(stage.dr.markers).toMatchObject([{ atMs }]);
    stage.later(1);
    await stage.check();
    expect(stage.dr.markers).toMatchObject([{ atMs: atMs + hour }]);
  });

  test('one server under two names is noticed when the first marker is written', async () => {
    const stage = new Stage();
    stage.dr = stage.primary;
    stage.feed(3);
    const report = await stage.check();
    expect(report).toMatchObject({ outcome: 'unknown', siteFailed: false });
    expect(stage.state.identity.refusal).toMatch(/^both URLs lead to the same VictoriaMetrics/);
    expect(stage.primary.markers).toHaveLength(1);
    await stage.check();
    expect(stage.primary.markers).toHaveLength(1);
    expect(stage.identified).toBe(0);
  });

  test("swapped URLs and a stranger's VM are refused before anything is planned, until accepted", async () => {
    const stage = await settled();
    const { primary, dr } = stage;
    [stage.primary, stage.dr] = [dr, primary];
    expect(await stage.check()).toMatchObject({ outcome: 'unknown' });
    expect(stage.state.identity.refusal).toMatch(/swapped/);
    [stage.primary, stage.dr] = [primary, new FakeDatabase('dr')];
    stage.dr.markers = [{ site: 'dr', pair: 'theirs', atMs: stage.nowMs + 10 * minute }];
    expect(await stage.check()).toMatchObject({ outcome: 'unknown' });
    expect(stage.state.identity.refusal).toMatch(/another pair/);
    expect(stage.plans).toEqual([]);
    const { identity } = stage.state;
    stage.state = { ...stage.state, identity: { ...identity, accepted: ['dr'] } };
    expect(await stage.check()).toMatchObject({ outcome: 'gaps' });
    expect(stage.plans).toHaveLength(1);
    const [, ours] = stage.dr.markers;
    expect(ours).toMatchObject({ pair: 'the pair', atMs: stage.nowMs + 10 * minute + 1 });
    expect(await stage.check()).toMatchObject({ outcome: 'gaps' });
    expect(stage.state.identity).toMatchObject({ refusal: null, accepted: [] });
  });

  test('an emptied destination is marked anew and filled', async () => {
    const stage = await settled();
    stage.dr = new FakeDatabase('dr');
    stage.later(minute);
    // What the collector has written since it is back.
    stage.dr.store({ __name__: 'up', instance: '1' }, [stage.nowMs - 1_000]);
    expect(await stage.check()).toMatchObject({ outcome: 'gaps' });
    expect(stage.plans).toHaveLength(1);
    expect(stage.dr.markers).toMatchObject([{ site: 'dr', pair: 'the pair' }]);
  });

  test('a destination without markers that holds older samples is not', async () => {
    const stage = await settled();
    stage.dr = new FakeDatabase('dr');
    stage.dr.store({ __name__: 'other' }, [stage.nowMs - 30 * 24 * hour]);
    expect(await stage.check()).toMatchObject({ outcome: 'unknown' });
    expect(stage.state.identity.refusal).toMatch(/^dr, the destination, carries no marker/);
    expect(stage.dr.markers).toEqual([]);
    expect(stage.plans).toEqual([]);
  });

  test('an emptied source stops everything', async () => {
    const stage = await settled();
    stage.primary = new FakeDatabase('primary');
    stage.feed(40, [stage.primary]);
    expect(await stage.check()).toMatchObject({ outcome: 'unknown' });
    expect(stage.state.identity.refusal).toMatch(
      /^primary, the source of truth, carries no marker/,
    );
    expect(stage.primary.markers).toEqual([]);
  });

  test('a source that has lost most of its series stops repairs, and heals by itself', async () => {
    const stage = await settled();
    const { markers } = stage.primary;
    const whole = stage.primary;
    stage.primary = new FakeDatabase('primary');
    stage.primary.markers = markers;
    stage.feed(19, [stage.primary]);
    stage.primary.store({ __name__: 'new' }, [stage.nowMs - 5 * minute]);
    const identified = stage.identified;
    const report = await stage.check();
    expect(report).toMatchObject({ outcome: 'gaps' });
    stage.primary = new FakeDatabase('primary');
    stage.primary.markers = markers;
    stage.feed(15, [stage.primary]);
    stage.primary.store({ __name__: 'new' }, [stage.nowMs - 5 * minute]);
    stage.plans.length = 0;
    expect(await stage.check()).toMatchObject({ outcome: 'unknown' });
    expect(stage.state.identity.refusal).toMatch(/has 16 series, after 40/);
    expect(await stage.check()).toMatchObject({ outcome: 'unknown' });
    expect(stage.plans).toEqual([]);
    // The first of the three could not know; a refused one asks for no duty any more.
    expect(stage.identified).toBe(identified + 2);
    stage.primary = whole;
    expect((await stage.check()).outcome).toBe('clean');
    expect(stage.state.identity.refusal).toBeNull();
    expect(stage.identified).toBe(identified + 3);
  });

  test('series that began in time that is not proven count too: nothing has shrunk', async () => {
    const stage = await settled();
    // 40 series stood where the window is not proven now, and one goes through it.
    const { markers } = stage.primary;
    const [primary, dr] = [new FakeDatabase('primary'), new FakeDatabase('dr')];
    primary.markers = markers;
    dr.markers = stage.dr.markers;
    const longAgoMs = stage.nowMs - 50 * minute;
    for (const site of [primary, dr]) site.store({ __name__: 'old' }, [longAgoMs]);
    const beganMs = stage.nowMs - 20 * minute;
    for (let at = 0; at < 40; at++) primary.store({ __name__: 'late', at: `${at}` }, [beganMs]);
    [stage.primary, stage.dr] = [primary, dr];
    const mark: Mark = {
      sinceMs: stage.nowMs - 61 * minute,
      throughMs: stage.nowMs - minute,
      unproven: [makeWindow(beganMs - 5 * minute, stage.nowMs - 5 * minute)],
      earlier: [],
    };
    const { marks } = stage.state;
    stage.state = { ...stage.state, marks: { ...marks, 'primary-to-dr': mark } };
    expect(await stage.check()).toMatchObject({ outcome: 'gaps', tallied: { missing: 40 } });
    expect(stage.state.identity.refusal).toBeNull();
  });

  test('what the scope leaves out does not count as data', () => {
    expect(scope.map(formatSelector)).toEqual(['{__name__!="",__name__!~"vmsync_.+"}']);
    expect(EMPTY_STATE.identity).toEqual(NO_IDENTITY);
    expect(directionFrom('primary').destination).toBe('dr');
  });
});
