import { expect, test } from 'vitest';
import {
  EMPTY_STATE,
  endPin,
  PinRefusedError,
  pinAt,
  readPinWish,
  removePin,
  setPin,
  tell,
} from '../src/index.ts';

const nowMs = Date.parse('2026-11-24T12:00:00Z');

test('a wish for a pin', () => {
  expect(readPinWish({ site: 'dr', for: '2h' }, nowMs)).toEqual({
    site: 'dr',
    untilMs: nowMs + 7_200_000,
    atMs: nowMs,
  });
  expect(readPinWish({ site: 'primary', for: '7d' }, nowMs).untilMs).toBe(nowMs + 7 * 86_400_000);
});

test.each([
  ['Dr', '2h', 'site: expected primary or dr, got "Dr"'],
  ['', '2h', 'site: expected primary or dr, got ""'],
  ['dr', '8d', 'for: expected a duration such as 30m, 2h or 1d, from 1s to 7d, got "8d"'],
  ['dr', '0s', 'for: expected'],
  ['dr', 'soon', 'for: expected'],
  ['dr', '', 'for: expected'],
  ['dr', '-2h', 'for: expected'],
])('%j for %j is refused', (site, forText, sentence) => {
  const read = () => readPinWish({ site, for: forText }, nowMs);
  expect(read).toThrow(PinRefusedError);
  expect(read).toThrow(sentence);
});

test('a pin turns the direction at once, ends once, and is told each time', () => {
  const pin = { site: 'dr', untilMs: nowMs + 1_000, atMs: nowMs } as const;
  const set = setPin(EMPTY_STATE, pin);
  expect(set.state).toMatchObject({
    pin,
    direction: { site: 'dr', epoch: 1, confirmed: true, whyNoWriting: null },
  });
  expect(set.events.map((event) => tell(event).text)).toEqual([
    '📌 VM-Sync: Direction pinned: dr is the active site by hand until 2026-11-24T12:00:01.000Z, whatever DNS says; vm-sync unpin ends it',
  ]);
  expect(setPin(set.state, pin)).toEqual({ state: set.state, events: [] });
  expect(pinAt(pin, pin.untilMs - 1)).toBe(pin);
  expect(endPin(set.state, pin.untilMs - 1)).toEqual({ state: set.state, events: [] });
  expect(pinAt(pin, pin.untilMs)).toBeNull();
  const ended = endPin(set.state, pin.untilMs);
  expect(ended.state.pin).toBeNull();
  expect(ended.events.map((event) => tell(event))).toMatchObject([
    { notify: true, text: expect.stringContaining('Pin ended: dr was pinned by hand until') },
  ]);
  expect(endPin(ended.state, pin.untilMs + 1).events).toEqual([]);
  const removed = removePin(set.state);
  expect(removed.state).toMatchObject({ pin: null, direction: { site: 'dr', epoch: 1 } });
  expect(removed.events.map(({ kind }) => kind)).toEqual(['unpinned']);
  expect(removePin(removed.state).events).toEqual([]);
});

test('a pin to the site that is active is no new epoch; one to the other site is', () => {
  const pinOf = (site: 'primary' | 'dr') => ({ site, untilMs: nowMs + 1_000, atMs: nowMs });
  const first = setPin(EMPTY_STATE, pinOf('dr')).state;
  const again = setPin(removePin(first).state, pinOf('dr')).state;
  expect(again.direction.epoch).toBe(1);
  expect(setPin(again, pinOf('primary')).state.direction.epoch).toBe(2);
});
