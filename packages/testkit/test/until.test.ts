import { expect, test } from 'vitest';
import { until } from '../src/index.ts';

test('gives back what the condition gave at last', async () => {
  let looks = 0;
  const value = await until('three looks', () => (++looks === 3 ? 'there' : ''), { everyMs: 1 });
  expect(value).toBe('there');
});

test('a condition that throws is looked at again', async () => {
  let looks = 0;
  const condition = (): boolean => {
    looks += 1;
    if (looks < 3) throw new Error('not yet');
    return true;
  };
  await until('no more errors', condition, { everyMs: 1 });
  expect(looks).toBe(3);
});

test('says what it waited for and what it saw last', async () => {
  const impatient = { deadlineMs: 50, everyMs: 10 };
  await expect(until('an even number', () => null, impatient)).rejects.toThrow(
    'waited 0.05 s for an even number; last seen: null',
  );
  const refuse = (): never => {
    throw new Error('refused');
  };
  await expect(until('a server', refuse, impatient)).rejects.toThrow('last seen: error: refused');
});

test('a condition that never answers does not hang the test', async () => {
  const hang = (): Promise<boolean> => new Promise(() => {});
  await expect(until('a miracle', hang, { deadlineMs: 50 })).rejects.toThrow('no answer at all');
});
