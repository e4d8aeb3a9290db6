import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
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

test('a log line is JSON with a time, a level and a process, and without secrets', async () => {
  const script = join(import.meta.dirname, 'log-some.ts');
  const { stdout } = await run(process.execPath, ['--conditions=@vm-sync/source', script]);
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
  ]);
  expect(lines[1].err.message).toContain('***');
  expect(lines[1].err.message).toContain('cause ***');
  expect(stdout).not.toMatch(/hunter2|p%40ss|p@ss/);
});
