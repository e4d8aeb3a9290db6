import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { temporaryFolder } from '@vm-sync/testkit';
import { expect, test } from 'vitest';
import { parseEnvFile, readEnv } from '../src/index.ts';

test.each<[string, Record<string, string>]>([
  ['A=b', { A: 'b' }],
  ['A=b\nC=d\r\nE=f', { A: 'b', C: 'd', E: 'f' }],
  ['  A = b  ', { A: 'b' }],
  ['export A=b', { A: 'b' }],
  ['# A=b\n\n  # C=d', {}],
  ['A=b # why', { A: 'b' }],
  ['A=b#c', { A: 'b#c' }],
  ['A=#c', { A: '#c' }],
  ['A= # nothing yet', { A: '' }],
  ['A=', { A: '' }],
  ['A="b # c" # why', { A: 'b # c' }],
  ['A=\'b "c"\'', { A: 'b "c"' }],
  ['A="b" # say "so"', { A: 'b' }],
  ['A=""', { A: '' }],
  ['A=b=c', { A: 'b=c' }],
  ['SYNC_MATCH={job="a",x=~"b|c"} up', { SYNC_MATCH: '{job="a",x=~"b|c"} up' }],
  ['SYNC_MATCH=\'{job="a"}\'', { SYNC_MATCH: '{job="a"}' }],
  ['A="unfinished', { A: '"unfinished' }],
  ['A=1\nA=2', { A: '2' }],
  ['not a line\n1A=b\n=c', {}],
])('%j', (text, env) => {
  expect(parseEnvFile(text)).toEqual(env);
});

const file = (text: string): string => {
  const path = join(temporaryFolder('env'), '.env');
  writeFileSync(path, text);
  return path;
};

test('variables of the process win over those of the file; empty ones count as absent', () => {
  const path = file('A=file\nB=file\nC=file\nD=\n');
  expect(readEnv({ A: 'process', B: '', C: '  ', E: undefined }, path)).toEqual({
    A: 'process',
    B: 'file',
    C: 'file',
  });
});

test('a named file must be there, the default one need not', () => {
  expect(() => readEnv({}, '/nonexistent/.env')).toThrow(
    /^cannot read the file named by --env-file: .*ENOENT/,
  );
  expect(readEnv({ A: 'b' }, undefined)).toMatchObject({ A: 'b' });
});
