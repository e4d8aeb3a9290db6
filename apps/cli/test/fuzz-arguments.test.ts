import { fuzz } from '@vm-sync/testkit';
import fc from 'fast-check';
import { expect, onTestFinished, test, vi } from 'vitest';
import { runCli } from '../src/cli.ts';

/** Commands that do their work without settings read from standard input, or go on until somebody ends them. */
const COMMANDS = [
  ...['check', 'plan', 'status', 'ready', 'runs', 'certificate', 'backfill', 'reconcile', 'pause'],
  ...['resume', 'pin', 'unpin', 'accept', 'notify', 'doctor', 'help', 'up', 'worker', 'no-command'],
  ...['start', 'list', 'watch', 'cancel', 'primary', 'dr', '__proto__', 'constructor', 'toString'],
];

const OPTIONS = [
  ...[
    '--json',
    '--from',
    '--to',
    '--match',
    '--dry-run',
    '--watch',
    '--site',
    '--for',
    '--every',
    '--test',
  ],
  ...[
    '--help',
    '--no-color',
    '--env-file',
    '--env-file=/nonexistent',
    '--',
    '-',
    '---',
    '--=',
    '-x',
    '--__proto__',
  ],
  ...['--from=', '--to=1h', '--match={', '--json=x', '--constructor', '--no-json', '-h', '-V'],
];

const argument = fc.oneof(
  fc.constantFrom(...COMMANDS),
  fc.constantFrom(...OPTIONS),
  fc.constantFrom(
    '72h',
    '2026-11-01',
    '{a="b"}',
    '',
    '\0',
    '/',
    'x'.repeat(10_000),
    '-1',
    '\ud800',
  ),
  fc.string({ maxLength: 8 }),
);

test('arguments of any kind end in one of three exit codes, with a word on what is wrong', async () => {
  // Other files run in this process too; --no-color sets some of it.
  onTestFinished(() => void vi.unstubAllEnvs());
  for (const name of ['NO_COLOR', 'FORCE_COLOR']) vi.stubEnv(name, process.env[name]);
  for (const name of Object.keys(process.env)) {
    if (/_VM_|^ROLE$|^REDIS_URL$/.test(name)) vi.stubEnv(name, undefined);
  }
  let said = '';
  const say = (text: unknown): boolean => {
    said += String(text);
    return true;
  };
  vi.spyOn(process.stdout, 'write').mockImplementation(say);
  vi.spyOn(process.stderr, 'write').mockImplementation(say);
  vi.spyOn(console, 'log').mockImplementation((text) => void say(text));
  vi.spyOn(console, 'error').mockImplementation((text) => void say(text));
  const exit = vi.spyOn(process, 'exit').mockImplementation(() => {
    throw new Error('the process would have been ended');
  });
  await fuzz('command line arguments', 600, fc.array(argument, { maxLength: 6 }), async (args) => {
    said = '';
    const code = await runCli(args);
    expect([0, 1, 2]).toContain(code);
    if (code !== 0) expect(said.trim()).not.toBe('');
    expect(said).not.toMatch(/\n {4}at /);
  });
  expect(exit).not.toHaveBeenCalled();
});
