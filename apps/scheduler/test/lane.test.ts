import { expect, test } from 'vitest';
import { Lane } from '../src/lane.ts';

test('one message at a time, in their order', () => {
  const lane = new Lane();
  expect(lane.enter('1', 0)).toBeUndefined();
  expect(lane.enter('2', 0)).toBe(200);
  lane.done('1', undefined);
  // A newer one does not overtake what is to come back.
  expect(lane.enter('3', 100)).toBe(300);
  expect(lane.enter('2', 200)).toBeUndefined();
  lane.done('2', undefined);
  expect(lane.enter('3', 300)).toBeUndefined();
});

test('what is to be tried again is waited for', () => {
  const lane = new Lane();
  lane.enter('1', 0);
  lane.done('1', 60_000);
  expect(lane.enter('2', 1_000)).toBe(60_001);
  expect(lane.enter('3', 1_000)).toBe(60_002);
  expect(lane.enter('1', 60_000)).toBeUndefined();
  lane.done('1', undefined);
  expect(lane.enter('2', 60_001)).toBeUndefined();
});

test('an older one that a person retries waits for nobody', () => {
  const lane = new Lane();
  lane.enter('2', 0);
  lane.done('2', 60_000);
  expect(lane.enter('1', 1_000)).toBeUndefined();
});

test('one that was given up, or removed by hand, is not waited for', () => {
  const lane = new Lane();
  lane.enter('1', 0);
  lane.done('1', undefined);
  expect(lane.enter('2', 0)).toBeUndefined();
  lane.done('2', 60_000);
  expect(lane.enter('3', 90_000)).toBe(90_200);
  expect(lane.enter('3', 90_200)).toBeUndefined();
});
