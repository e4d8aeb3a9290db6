import { expect, test } from 'vitest';
import { hashPassword, isPassword, parsePasswordHash } from '../src/index.ts';

test('a password is known by its hash, and by no other', async () => {
  const hash = await hashPassword('pass "wörd" $1');
  expect(hash).toMatch(/^\$scrypt\$ln=14,r=8,p=5\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$/);
  expect(await isPassword('pass "wörd" $1', hash)).toBe(true);
  // The same letter, typed as two characters.
  expect(await isPassword('pass "wörd" $1', hash)).toBe(true);
  expect(await isPassword('pass "wörd" $2', hash)).toBe(false);
  expect(await isPassword('', hash)).toBe(false);
  expect(await hashPassword('pass "wörd" $1')).not.toBe(hash);
});

test('a hash that another program made', async () => {
  const hash =
    '$scrypt$ln=16,r=8,p=1$aM15713r3Xsvxbi31lqr1Q$nFNh2CVHVjNldFVKDHDlm4CbdRSCdEBsjjJxD+iCs5E';
  expect(await isPassword('password', hash)).toBe(true);
  expect(await isPassword('Password', hash)).toBe(false);
});

const SALT = 'aM15713r3Xsvxbi31lqr1Q';
const KEY = 'nFNh2CVHVjNldFVKDHDlm4CbdRSCdEBsjjJxD+iCs5E';

test.each([
  ['', 'expected $scrypt$'],
  ['secret', 'expected $scrypt$'],
  [`$argon2id$ln=14,r=8,p=5$${SALT}$${KEY}`, 'expected $scrypt$'],
  [`$scrypt$ln=14,r=8,p=5$${SALT}`, 'expected $scrypt$'],
  [`$scrypt$ln=14,r=8,p=5$${SALT}$${KEY}$`, 'expected $scrypt$'],
  [`$scrypt$ln=14,r=8,p=5$${SALT}$${KEY}=`, 'expected $scrypt$'],
  [`$scrypt$ln=9,r=8,p=5$${SALT}$${KEY}`, 'too weak'],
  [`$scrypt$ln=14,r=0,p=5$${SALT}$${KEY}`, 'too weak'],
  [`$scrypt$ln=14,r=8,p=0$${SALT}$${KEY}`, 'too weak'],
  [`$scrypt$ln=14,r=8,p=5$c2FsdA$${KEY}`, 'too weak'],
  [`$scrypt$ln=14,r=8,p=5$${SALT}$a2V5`, 'too weak'],
  [`$scrypt$ln=18,r=8,p=5$${SALT}$${KEY}`, 'too costly'],
  [`$scrypt$ln=99,r=8,p=5$${SALT}$${KEY}`, 'too costly'],
  [`$scrypt$ln=14,r=8,p=17$${SALT}$${KEY}`, 'too costly'],
])('%s is no hash', (text, says) => {
  expect(() => parsePasswordHash(text)).toThrow(says);
});
