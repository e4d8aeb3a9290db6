import { stripVTControlCharacters } from 'node:util';
import type { Paint } from '@vm-sync/runtime';
import { describe, expect, test, vi } from 'vitest';
import { runCli } from '../src/cli.ts';
import type { Finding } from '../src/commands/doctor.ts';
import { findingsForPeople, plainFindings } from '../src/doctor-text.ts';
import { statusLines } from '../src/status-text.ts';
import { knownStatus } from './support/known-status.ts';

const plain: Paint = (_, text) => text;

describe('findings of the doctor', () => {
  const findings: Finding[] = [
    { what: 'primary', verdict: 'fine', text: 'answers' },
    { what: 'Redis', verdict: 'fault', text: 'cannot be reached' },
    { what: 'witness address', verdict: 'fine', text: 'says dr' },
    { what: 'identity', verdict: 'fine', text: 'each VM carries its marker' },
    { what: 'dr', verdict: 'advice', text: 'does not deduplicate' },
  ];

  test('for scripts: one a line, as they were found', () => {
    expect(plainFindings(findings).slice(0, 2)).toEqual([
      'ok     primary: answers',
      'FAULT  Redis: cannot be reached',
    ]);
    expect(plainFindings(findings)).toHaveLength(5);
  });

  test('for people: in groups, each once, and at the end what is to be mended', () => {
    expect(findingsForPeople(findings, 80, plain)).toEqual([
      'The databases',
      '  ✔  primary  answers',
      '  !  dr       does not deduplicate',
      '',
      'Who is who',
      '  ✔  identity  each VM carries its marker',
      '',
      'The direction',
      '  ✔  witness address  says dr',
      '',
      'Redis',
      '  ✘  Redis  cannot be reached',
      '',
      'To be mended:',
      '  1. Redis: cannot be reached',
      '1 line is advice.',
    ]);
    const well = findings.filter(({ verdict }) => verdict === 'fine');
    expect(findingsForPeople(well, 80, plain).at(-1)).toBe('Nothing has to be mended.');
  });
});

describe('a status', () => {
  const nowMs = Date.parse('2026-01-02T03:04:05Z');
  const beside = {
    pin: null,
    paused: false,
    pace: { copies: 4, maxCopies: 4, bytesPerS: null, stopped: false, reason: null },
    duty: undefined,
    progress: { runs: [], backfills: [] },
  } as unknown as Parameters<typeof statusLines>[3];
  const lines = (
    state: Parameters<typeof knownStatus>[1],
    verdict: Parameters<typeof statusLines>[2],
    columns?: number,
    paint: Paint = plain,
  ) => statusLines(knownStatus(nowMs, state), false, verdict, beside, { nowMs, paint, columns });

  test('begins with the word that people act on', () => {
    const ready = lines({}, { ready: true, known: true, reasons: [] });
    expect(ready.slice(0, 2)).toEqual(['FAILBACK READY', '']);
    expect(ready).toContain('last check             2026-01-02T03:03:25.000Z, 40s ago, clean');
    const reasons = ['dr lacks 7 samples', 'more'];
    const not = lines({ gapsDetected: 2 }, { ready: false, known: true, reasons });
    expect(not.slice(0, 4)).toEqual(['NOT READY', '  dr lacks 7 samples', '  more', '']);
    expect(not.slice(4)).not.toContain('');
    const unknown = lines({}, { ready: false, known: false, reasons: ['old'] });
    expect(unknown[0]).toBe('UNKNOWN');
  });

  test('on a terminal: groups, no line longer than the screen, the same words', () => {
    const reasons = ['a reason that is quite long, and has to be folded somewhere'];
    const verdict = { ready: false, known: true, reasons };
    const paint: Paint = (_, text) => `\x1b[1m${text}\x1b[22m`;
    const shown = lines({}, verdict, 60, paint).map(stripVTControlCharacters);
    expect(shown.filter((line) => line.length > 60)).toEqual([]);
    expect(shown.filter((line) => line === '').length).toBeGreaterThan(2);
    const words = (all: readonly string[]) => all.join(' ').split(/\s+/).join(' ').trim();
    expect(words(shown)).toBe(words(lines({}, verdict)));
  });
});

/** The command line in this very process: nothing is started for a help text. */
async function said(args: readonly string[]) {
  const texts = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) {
    vi.spyOn(process[name], 'write').mockImplementation((text) => {
      texts[name] += text;
      return true;
    });
  }
  const code = await runCli(args);
  vi.restoreAllMocks();
  return { code, ...texts };
}

describe('help', () => {
  const commandsIn = (help: string) =>
    [...help.matchAll(/^ {2}([a-z]+)(?: \[options\]| <| {2,})/gm)]
      .map(([, name = '']) => name)
      .filter((name) => name !== 'help' && name !== 'vm');

  test('every command has examples that name it', async () => {
    const { code, stdout, stderr } = await said(['--help']);
    expect([code, stderr]).toEqual([0, '']);
    expect(stdout).toMatch(/\nExit codes: 0 fine, 1 found something/);
    const names = commandsIn(stdout.slice(stdout.indexOf('Commands:')));
    expect(names).toEqual(expect.arrayContaining(['up', 'check', 'backfill', 'runs', 'doctor']));
    for (const name of names) {
      const help = (await said([name, '--help'])).stdout;
      expect([name, help]).toEqual([name, expect.stringContaining(`Examples:\n`)]);
      expect(help.slice(help.indexOf('Examples:'))).toContain(`vm-sync ${name}`);
      const own = help.includes('Commands:') ? commandsIn(help.split('Examples:')[0] ?? '') : [];
      for (const sub of own) {
        const subHelp = (await said([name, sub, '--help'])).stdout;
        expect([sub, subHelp]).toEqual([sub, expect.stringContaining(`Examples:\n`)]);
      }
    }
  });

  test.each([
    [['statsu'], /unknown command 'statsu'\n\(Did you mean status\?\)/],
    [['check', '--jsno'], /unknown option '--jsno'\n\(Did you mean --json\?\)/],
    [['backfill', 'lst'], /unknown command 'lst' \(vm-sync backfill has start, list, watch/],
    [['reconcile', 'stop'], /unknown command 'stop' \(vm-sync reconcile has start, cancel\)/],
  ])('%j is answered with what was meant', async (args, says) => {
    const { code, stdout, stderr } = await said(args);
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toMatch(says);
    const json = await said([...args, '--json']);
    expect(json.code).toBe(2);
    expect(JSON.parse(json.stdout)).toEqual({ error: expect.stringMatching(/^unknown (c|o)/) });
  });
});
