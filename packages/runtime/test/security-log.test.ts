import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { webhookBody } from '../src/index.ts';
import { prettyLine } from '../src/pretty-log.ts';

const forged = '{"level":"info","msg":"🟢 VM-Sync: FAILBACK READY"}';
const hostile = `x\r\n${forged}\n\u009b2J\u001b]0;owned\u0007\u202e\u007f`;

test('a log for programs has one line an event and nothing that a terminal obeys, whatever a database said', async () => {
  const script = `
    import { createLogger } from ${JSON.stringify(join(import.meta.dirname, '../src/logger.ts'))};
    const said = JSON.parse(process.argv[1]);
    createLogger('info', 'worker', []).warn({ said, err: new Error(said) }, said);`;
  const flags = ['--conditions=@vm-sync/source', '--input-type=module', '--eval', script];
  const { stdout } = await promisify(execFile)(process.execPath, [
    ...flags,
    JSON.stringify(hostile),
  ]);
  expect(stdout).not.toMatch(/[^\P{Cc}\n]|\u202e/u);
  const lines = stdout.trimEnd().split('\n');
  expect(lines).toHaveLength(1);
  expect(JSON.parse(lines[0] ?? '')).toMatchObject({ said: hostile, msg: hostile });
});

test('in a log for people only a line of the log begins at the margin', () => {
  const record = { level: 'warn', time: 0, process: 'worker', msg: hostile, at: hostile };
  const line = prettyLine(
    JSON.stringify({ ...record, err: { stack: hostile } }),
    (_, text) => text,
  );
  expect(line).not.toMatch(/[^\P{Cc}\n]|\u202e/u);
  const [first, ...more] = line.trimEnd().split('\n');
  expect(first).toMatch(/warn {3}worker {5}x/);
  expect(more.length).toBeGreaterThan(5);
  for (const one of more) expect(one).toMatch(/^ {4}/);
});

test('a message has one line, mentions nobody, and no words of a database stand at its beginning', () => {
  const text = `⚠️ VM-Sync: 7 data gaps detected; ${hostile} <!channel> <@U1> [x](https://evil.example)`;
  const notice = {
    ...({ kind: 'gap-detected', severity: 'warn', atMs: 0, details: {} } as const),
    ...{ text, todo: hostile },
  };
  const message = { id: '1', role: 'dr', notice, nowMs: 0 } as const;
  for (const format of ['slack', 'teams', 'json'] as const) {
    const body = JSON.stringify(webhookBody(format, message));
    expect(body).not.toMatch(/\\n|\\r|\\u|\u009b|\u202e|\u007f/);
    if (format === 'slack') expect(body).not.toMatch(/<[!@h]/);
    // JSON doubles the sign before a bracket.
    if (format === 'teams') expect(body).toContain('\\\\[x\\\\](https');
  }
});
