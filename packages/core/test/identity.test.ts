import { describe, expect, test } from 'vitest';
import {
  acceptSite,
  type Carried,
  comparedScope,
  directionFrom,
  formatSelector,
  type Identity,
  isToBeMarked,
  judgeIdentity,
  type Marker,
  meets,
  NO_IDENTITY,
  noteMarked,
  noteSeen,
  noteSeries,
  OWN_SERIES,
  parseSelectors,
  type Site,
  whyShrunken,
} from '../src/index.ts';

const minute = 60_000;
const hour = 60 * minute;
const nowMs = 1_795_460_400_000;
const direction = directionFrom('primary');

const marker = (site: Site, pair = 'ours', atMs = nowMs): Marker => ({ site, pair, atMs });
const right: Carried = { primary: [marker('primary')], dr: [marker('dr')] };

const judge = (identity: Identity, carried: Carried) => judgeIdentity(identity, carried, direction);

/** After checks that saw the markers over more than a minute. */
function known(): Identity {
  const sound = judge(NO_IDENTITY, right);
  if (sound.kind === 'refused') throw new Error(sound.reason);
  return noteSeen(noteSeen(NO_IDENTITY, sound, nowMs - hour), sound, nowMs);
}

const reasonOf = (identity: Identity, carried: Carried): string => {
  const judged = judge(identity, carried);
  return judged.kind === 'refused' ? judged.reason : JSON.stringify(judged);
};

describe('who is who', () => {
  test('the first start, and the name of the pair that another vm-sync has given', () => {
    expect(judge(NO_IDENTITY, { primary: [], dr: [] })).toEqual({
      kind: 'sound',
      pair: null,
      unmarked: ['primary', 'dr'],
      lost: [],
    });
    expect(judge(NO_IDENTITY, right)).toEqual({
      kind: 'sound',
      pair: 'ours',
      unmarked: [],
      lost: [],
    });
    // The other vm-sync has marked the source and not the destination yet.
    expect(judge(NO_IDENTITY, { ...right, dr: [] })).toMatchObject({
      pair: 'ours',
      unmarked: ['dr'],
      lost: [],
    });
  });

  test('two vm-syncs that began at once give one pair two names, and agree on one', () => {
    const both = (site: Site) => [marker(site, 'b', nowMs), marker(site, 'a', nowMs - 9)];
    const carried = { primary: both('primary'), dr: both('dr') };
    for (const pair of ['a', 'b', null]) {
      expect(judge({ ...known(), pair }, carried)).toMatchObject({ pair: 'a', unmarked: [] });
    }
  });

  test('swapped URLs', () => {
    const swapped = { primary: right.dr, dr: right.primary };
    expect(reasonOf(known(), swapped)).toMatch(/^the URLs are swapped/);
    expect(reasonOf(NO_IDENTITY, swapped)).toMatch(/^the URLs are swapped/);
  });

  test('two URLs of one server', () => {
    for (const markers of [right.primary, [...right.primary, ...right.dr]]) {
      const reason = reasonOf(known(), { primary: markers, dr: markers });
      expect(reason).toMatch(/^both URLs lead to the same VictoriaMetrics/);
    }
  });

  test("a VM that was restored from the other's backup", () => {
    const backup = marker('primary', 'ours', nowMs - hour);
    const expected =
      /^the VM at dr's URL carries primary's marker: .* was restored from primary's backup; .*vm-sync accept --site dr$/;
    expect(reasonOf(known(), { ...right, dr: [backup] })).toMatch(expected);
    const older = marker('dr', 'ours', nowMs - 2 * hour);
    expect(reasonOf(known(), { ...right, dr: [older, backup] })).toMatch(expected);
    // What was copied with everything else is not newer than its own.
    expect(judge(known(), { ...right, dr: [marker('dr'), marker('primary')] }).kind).toBe('sound');
  });

  test("a stranger's VM, until a person accepts it", () => {
    const stranger = { ...right, dr: [marker('dr', 'theirs')] };
    expect(reasonOf(known(), stranger)).toMatch(
      /^the VM at dr's URL carries the marker of another pair \(theirs, dr\)/,
    );
    const later = { ...right, dr: [marker('dr'), marker('dr', 'theirs', nowMs + 1)] };
    expect(reasonOf(known(), later)).toMatch(/another pair/);
    const accepted = acceptSite(known(), 'dr');
    expect(judge(accepted, stranger)).toMatchObject({ pair: 'ours', unmarked: ['dr'], lost: [] });
    const marked = noteMarked(accepted, 'ours', ['dr'], nowMs);
    expect(marked.accepted).toEqual([]);
    expect(reasonOf(marked, stranger)).toMatch(/another pair/);
    expect(reasonOf(NO_IDENTITY, { ...right, dr: [marker('dr', 'theirs')] })).toMatch(
      /another pair/,
    );
  });

  test('markers that are gone: lost where they were certainly kept', () => {
    const none = { primary: [], dr: [] };
    expect(judge(known(), none)).toMatchObject({
      unmarked: ['primary', 'dr'],
      lost: ['primary', 'dr'],
    });
    const sound = judge(NO_IDENTITY, right);
    if (sound.kind === 'refused') throw new Error(sound.reason);
    // A VM that was killed right after its marking has forgotten it.
    expect(judge(noteSeen(NO_IDENTITY, sound, nowMs), none)).toMatchObject({ lost: [] });
    // The source is always marked first: without a memory too, it must have lost its marker.
    expect(judge(NO_IDENTITY, { ...right, primary: [] })).toMatchObject({ lost: ['primary'] });
    expect(judge(acceptSite(known(), 'primary'), { ...right, primary: [] })).toMatchObject({
      unmarked: ['primary'],
      lost: [],
    });
  });

  test('markers are renewed every hour', () => {
    const marked = noteMarked(known(), 'ours', [], nowMs);
    expect(isToBeMarked(marked, [], nowMs + hour - 1)).toBe(false);
    expect(isToBeMarked(marked, [], nowMs + hour)).toBe(true);
    expect(isToBeMarked(marked, ['dr'], nowMs)).toBe(true);
    expect(isToBeMarked(known(), [], nowMs)).toBe(true);
  });
});

describe('a source that has shrunk', () => {
  const of100 = noteSeries(known(), 100);

  test('stops repairs when more than half of its series are gone, until they are back or accepted', () => {
    expect(whyShrunken(of100, 'primary', 49)).toMatch(
      /^primary, the source of truth, has 49 series, after 100 at the last clean check/,
    );
    expect(whyShrunken(of100, 'primary', 50)).toBeUndefined();
    expect(whyShrunken(acceptSite(of100, 'primary'), 'primary', 1)).toBeUndefined();
  });

  test('says nothing at the first start, of few series, and when the direction turns', () => {
    expect(whyShrunken(known(), 'primary', 0)).toBeUndefined();
    expect(whyShrunken(noteSeries(known(), 19), 'primary', 1)).toBeUndefined();
    expect(whyShrunken(of100, 'dr', 99)).toBeUndefined();
  });
});

describe('own series are no data', () => {
  const scope = (match: string, exclude: string) =>
    comparedScope(parseSelectors(match), exclude === '' ? [] : parseSelectors(exclude)).map(
      formatSelector,
    );

  test('whatever SYNC_EXCLUDE says', () => {
    const without = '{__name__!="",__name__!~"vmsync_.+"}';
    expect(scope('{__name__!=""}', '')).toEqual([without]);
    expect(scope('{__name__!=""}', formatSelector(OWN_SERIES))).toEqual([without]);
    expect(scope('{__name__!=""}', '{a="b"}')).toEqual([
      '{__name__!="",a!="b",__name__!~"vmsync_.+"}',
    ]);
  });

  test('and whatever SYNC_MATCH asks for', () => {
    const parts = comparedScope(parseSelectors('{__name__=~"vmsync_.+"} vmsync_heartbeat up'), []);
    const isCompared = (name: string) => parts.some((one) => meets(one, { __name__: name }));
    expect(['vmsync_heartbeat', 'vmsync_x', 'up'].filter(isCompared)).toEqual(['up']);
  });
});
