import fc from 'fast-check';
import { expect, test } from 'vitest';
import { escapedUnseen, onOneLine, printable, worstGroups } from '../src/index.ts';

const nasty = fc.string({
  unit: fc.oneof(
    fc.integer({ min: 0, max: 0x9f }).map((code) => String.fromCharCode(code)),
    fc.constantFrom('\u202e', '\u2066', '\u200f', '\u2028', '\u061c', '漢', '😀', 'é'),
  ),
});

test('of any text nothing is left that a terminal obeys, or that turns the writing around', () => {
  fc.assert(
    fc.property(nasty, (text) => {
      expect(printable(text)).not.toMatch(/[^\P{Cc}\n\t]|[\u061c\u200f\u2028\u202e\u2066]/u);
      expect(onOneLine(text)).not.toMatch(/\p{Cc}|[\u061c\u200f\u2028\u202e\u2066]/u);
    }),
  );
  expect(printable('\u001b[31mżółć\n\t漢字 😀\u009b2J')).toBe('�[31mżółć\n\t漢字 😀�2J');
  expect(onOneLine('a\r\nb\tc')).toBe('a b c');
});

test('JSON is the same to every parser, and harmless to look at', () => {
  fc.assert(
    fc.property(fc.dictionary(nasty, nasty), (value) => {
      const text = escapedUnseen(JSON.stringify(value, null, 2));
      expect(JSON.parse(text)).toEqual(value);
      expect(printable(text)).toBe(text);
    }),
  );
});

test('in a sentence of ours a device whose name could be words of ours stands in quotes, and is short', () => {
  const row = (group: string) => ({ group, expected: [1], missing: [1] });
  const rows = [
    row('bigip-07.example:9100'),
    row('x; 🟢 VM-Sync: FAILBACK READY\n\u001b[2J'),
    row('a'.repeat(9_000)),
  ];
  const text = worstGroups({ label: 'instance', rows });
  expect(text).toMatch(
    /^instance bigip-07\.example:9100, "x; 🟢 VM-Sync: FAILBACK READY \[2J", "?a{59}…"?$/u,
  );
});
