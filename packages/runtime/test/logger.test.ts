import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify, stripVTControlCharacters } from 'node:util';
import { describe, expect, test } from 'vitest';
import { withoutSecrets } from '../src/index.ts';

const run = promisify(execFile);

describe('a text without secrets', () => {
  test.each<[string, string[], string]>([
    ['the password is hunter2!', ['hunter2'], 'the password is ***!'],
    ['hunter2 hunter2', ['hunter2'], '*** ***'],
    ['http://u:p%40ss@host', ['p@ss'], 'http://u:***@host'],
    ['{"password":"a\\"b"}', ['a"b'], '{"password":"***"}'],
    ['long and longer', ['long', 'longer'], '*** and ***'],
    ['longer', ['longer', 'long'], '***'],
    ['nothing here', [''], 'nothing here'],
    ['nothing here', [], 'nothing here'],
    ['a.c abc', ['a.c'], '*** abc'],
    ['$& stays', ['x'], '$& stays'],
  ])('%s', (text, secrets, clean) => {
    expect(withoutSecrets(text, secrets)).toBe(clean);
  });
});

const logSome = (env: NodeJS.ProcessEnv = {}) => {
  const script = join(import.meta.dirname, 'log-some.ts');
  const node = ['--conditions=@vm-sync/source', script];
  return run(process.execPath, node, { env: { ...process.env, ...env } });
};

test('a log line is JSON with a time, a level and a process, and without secrets', async () => {
  const { stdout } = await logSome();
  const lines = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  expect(lines).toEqual([
    {
      level: 'info',
      time: expect.stringMatching(/^\d{4}-.*Z$/),
      process: 'worker',
      url: 'http://u:***@h',
      msg: 'with ***',
    },
    expect.objectContaining({ level: 'error', process: 'worker', msg: 'failed' }),
    expect.objectContaining({ level: 'warn', msg: 'failed again' }),
  ]);
  expect(lines[1].err.message).toContain('***');
  expect(lines[1].err.message).toContain('cause ***');
  expect(stdout).not.toMatch(/hunter2|p%40ss|p@ss/);
});

test('an error of our own needs no stack, any other does', async () => {
  const lines = (await logSome()).stdout.trim().split('\n');
  const [, unforeseen, own] = lines.map((line) => JSON.parse(line).err);
  expect(unforeseen.stack).toContain('log-some.ts');
  expect(own).toMatchObject({ type: 'VmSyncError', kind: 'busy', site: 'dr' });
  expect(own.message).toBe('VM export error: dr: socket hang up');
  expect(own).not.toHaveProperty('stack');
});

test('for people, where that is asked for: readable, coloured on demand, and without secrets', async () => {
  const { stdout } = await logSome({ SOME_FORMAT: 'pretty', FORCE_COLOR: '1' });
  expect(stdout).toContain('\u001b[31merror');
  const text = stripVTControlCharacters(stdout);
  expect(text).toMatch(
    /^\d\d:\d\d:\d\d {2}info {3}worker {5}with \*\*\* {2}url=http:\/\/u:\*\*\*@h\n/,
  );
  expect(text).toMatch(/error {2}worker {5}failed\n {4}Error: bad \*\*\*/);
  expect(text).not.toMatch(/hunter2|p%40ss|p@ss/);
});
