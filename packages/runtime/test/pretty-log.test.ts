import { expect, test } from 'vitest';
import type { Paint } from '../src/paint.ts';
import { prettyLine } from '../src/pretty-log.ts';

const plain: Paint = (_, text) => text;
const line = (record: Record<string, unknown>): string =>
  `${JSON.stringify({ level: 'warn', time: '2026-01-02T03:04:05.678Z', process: 'worker', ...record })}\n`;
const clock = new Date('2026-01-02T03:04:05.678Z').toTimeString().slice(0, 8);

test('a line for people: when, how bad, who, what, and the ids behind it', () => {
  const text = prettyLine(line({ runId: 'r1', jobId: '7', msg: 'failed: VM export error' }), plain);
  expect(text).toBe(`${clock}  warn   worker     failed: VM export error  runId=r1 jobId=7\n`);
  const more = prettyLine(line({ tookMs: 3, found: { gaps: [] }, msg: 'check' }), plain);
  expect(more).toMatch(/ {2}check {2}tookMs=3 found=\{"gaps":\[\]\}\n$/);
});

test('an error stands below its line', () => {
  const err = { type: 'Error', message: 'no', stack: 'Error: no\n    at here' };
  expect(prettyLine(line({ err, msg: 'oh' }), plain)).toMatch(
    / {2}oh\n {4}Error: no\n {8}at here\n$/,
  );
  expect(prettyLine(line({ err: { message: 'no' }, msg: 'oh' }), plain)).toMatch(/ oh\n {4}no\n$/);
  expect(prettyLine(line({ err: 'no', msg: 'oh' }), plain)).toMatch(/ oh\n {4}no\n$/);
});

test('colours by level, and none of its own in a text', () => {
  const paint: Paint = (style, text) => `<${style}>${text}`;
  expect(prettyLine(line({ msg: 'm' }), paint)).toContain('<yellow>warn');
  expect(prettyLine(line({ level: 'fatal', msg: 'm' }), paint)).toContain('<red,bold>fatal');
  const text = prettyLine(line({ msg: 'a\u001b[31mb\u0007\rc', at: '\u001b]0;x\u0007' }), plain);
  expect(text).not.toMatch(/[^\P{Cc}\n\t]/u);
  expect(text).toContain('ab');
});

test('what is no line of the log passes as it is', () => {
  for (const text of ['not JSON\n', '"text"\n', 'null\n'])
    expect(prettyLine(text, plain)).toBe(text);
  expect(prettyLine('{"msg":"m"}\n', plain)).toContain('--:--:--');
});
