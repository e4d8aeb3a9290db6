import { execFileSync } from 'node:child_process';
import { copyFileSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { temporaryFolder } from '@vm-sync/testkit';
import { expect, test } from 'vitest';

const root = join(import.meta.dirname, '../../..');

function setUp(site: 'primary' | 'dr') {
  const folder = temporaryFolder('site');
  for (const file of ['setup.sh', 'package.json', '.env.primary', '.env.dr']) {
    copyFileSync(join(root, file), join(folder, file));
  }
  const said = execFileSync(join(folder, 'setup.sh'), [site], { cwd: folder, encoding: 'utf8' });
  const env = readFileSync(join(folder, '.env'), 'utf8');
  const modeOf = (path: string) => statSync(join(folder, path)).mode & 0o777;
  const settingOf = (name: string) => new RegExp(`^${name}=(.*)$`, 'm').exec(env)?.[1] ?? '';
  return { said, env, modeOf, settingOf };
}

const SECRETS = ['DASHBOARD_PASSWORD', 'REDIS_PASSWORD'];

test('a site is set up with secrets of its own, which nobody else can read and nothing says', () => {
  const sites = [setUp('primary'), setUp('dr'), setUp('dr')];
  const secrets = sites.flatMap(({ settingOf }) => SECRETS.map(settingOf));
  for (const secret of secrets) expect(secret).toMatch(/^[0-9a-f]{48}$/);
  expect(new Set(secrets).size).toBe(secrets.length);
  for (const { said, env, modeOf } of sites) {
    expect(modeOf('.env')).toBe(0o600);
    if (process.getuid?.() === 0) expect(modeOf('data/secrets')).toBe(0o700);
    expect(env).not.toContain('__GENERATE__');
    for (const secret of secrets) expect(said).not.toContain(secret);
  }
});

test('both templates have the same settings', () => {
  const namesOf = (file: string) =>
    [...readFileSync(join(root, file), 'utf8').matchAll(/^#?([A-Z][A-Z0-9_]*)=/gm)].map(
      ([, name]) => name,
    );
  expect(namesOf('.env.primary')).toEqual(namesOf('.env.dr'));
  expect(namesOf('.env.primary').length).toBeGreaterThan(50);
});
