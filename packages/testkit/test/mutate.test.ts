import fc from 'fast-check';
import { expect, test } from 'vitest';
import { damages, fuzz, mutate, mutateValue, valueDamages } from '../src/index.ts';

const text = '{"a":[1,22,{"b":"c"}],"d":-3.5}';

test('each damage does what it is named for', () => {
  const of = (...all: Parameters<typeof mutate>[1]) => mutate(Buffer.from(text), all).toString();
  expect(of()).toBe(text);
  expect(of({ kind: 'cut', at: 5 })).toBe('{"a":');
  expect(of({ kind: 'drop', at: 5, length: 18 })).toBe('{"a":d":-3.5}');
  expect(of({ kind: 'double', at: 6, length: 2 })).toBe('{"a":[1,1,22,{"b":"c"}],"d":-3.5}');
  expect(of({ kind: 'flip', at: 0, bit: 0 })[0]).toBe('z');
  expect(of({ kind: 'byte', at: 1, byte: 0x27 })[1]).toBe("'");
  expect(of({ kind: 'insert', at: 0, text: '<html>' })).toBe(`<html>${text}`);
  expect(of({ kind: 'number', at: 7, text: '1e999' })).toBe('{"a":[1,1e999,{"b":"c"}],"d":-3.5}');
  expect(of({ kind: 'number', at: 25, text: '-0' })).toBe('{"a":[1,22,{"b":"c"}],"d":-0}');
  expect(of({ kind: 'nest', at: 6, depth: 2, open: '[' })).toBe(text.replace('[1', '[[[1]],1'));
  expect(of({ kind: 'cut', at: 5 }, { kind: 'cut', at: 7 })).toBe('{'); // places go round
});

test('what is not UTF-8 stays as it is beside a number', () => {
  const bytes = Buffer.from([0xff, 0x31, 0xfe]);
  expect(mutate(bytes, [{ kind: 'number', at: 0, text: '22' }])).toEqual(
    Buffer.from([0xff, 0x32, 0x32, 0xfe]),
  );
});

test('values stay JSON, and get properties that objects inherit only as their own', () => {
  const value = JSON.parse(text);
  const one = (how: 'replace' | 'remove' | 'rename' | 'double' | 'add', at: number, name = 'x') =>
    JSON.stringify(mutateValue(value, [{ at, how, by: null, name }]));
  expect(JSON.stringify(mutateValue(value, []))).toBe(text);
  expect(one('replace', 0)).toBe('null');
  expect(one('remove', 2)).toBe('{"a":[1,22,{"b":"c"}]}');
  expect(one('rename', 2, '__proto__')).toBe('{"a":[1,22,{"b":"c"}],"__proto__":-3.5}');
  expect(one('add', 0, 'constructor')).toContain('"constructor":null');
  expect(one('double', 3)).toBe('{"a":[1,1,22,{"b":"c"}],"d":-3.5}');
  expect(value).toEqual(JSON.parse(text));
});

test('what is put in stays as it is, whatever hits it afterwards', () => {
  const by = { a: 1 };
  const put = { at: 0, how: 'replace', by, name: 'x' } as const;
  const into = { at: 0, how: 'add', by, name: 'b' } as const;
  expect(mutateValue(null, [put, into, into])).toEqual({ a: 1, b: { a: 1 } });
  expect(by).toEqual({ a: 1 });
});

test('any damages fit anything', () =>
  fuzz('mutator', 300, fc.tuple(fc.uint8Array(), damages, fc.json(), valueDamages), (input) => {
    const [bytes, some, json, more] = input;
    expect(mutate(Buffer.from(bytes), some)).toBeInstanceOf(Buffer);
    expect(mutateValue(JSON.parse(json), more)).not.toBe(undefined);
  }));

test('a failure shows the smallest input that fails', async () => {
  const failing = fuzz('mutator', 100, fc.nat(), (number) => expect(number).toBeLessThan(5));
  await expect(failing).rejects.toThrow(/Counterexample: \[5\]/);
});

test('a polluted prototype fails whatever polluted it', async () => {
  const polluting = fuzz('mutator', 1, fc.nat(), () => {
    Object.defineProperty(Object.prototype, 'polluted', { value: 1, configurable: true });
  });
  await expect(polluting).rejects.toThrow('a prototype was polluted');
  delete (Object.prototype as { polluted?: unknown }).polluted;
});
