import { randomBytes, type ScryptOptions, scrypt, timingSafeEqual } from 'node:crypto';
import { promisify } from 'node:util';

/** What it costs to try one password: `128 × 2^ln × r` bytes for as long as `p` rounds take. */
interface Cost {
  readonly ln: number;
  readonly r: number;
  readonly p: number;
}

interface PasswordHash extends Cost {
  readonly salt: Buffer;
  readonly key: Buffer;
}

/** OWASP's choice of least memory (16 MiB); about a fifth of a second. */
const COST: Cost = { ln: 14, r: 8, p: 5 };

/** For a password that stands in the settings in the clear: a slow hash of it would protect nothing. */
export const QUICK_COST: Cost = { ln: 10, r: 8, p: 1 };

const SALT_BYTES = 16;
const KEY_BYTES = 32;

/** More than that for one login would be a burden on the whole process. */
const MEMORY_MOST = 128 * 1024 * 1024;
const ROUNDS_MOST = 16;

const derive = promisify<string, Buffer, number, ScryptOptions, Buffer>(scrypt);

/** `$scrypt$ln=14,r=8,p=5$<salt>$<key>`, the form of the Password Hashing Competition; base64 without padding. */
export async function hashPassword(password: string, cost: Cost = COST): Promise<string> {
  const salt = randomBytes(SALT_BYTES);
  const key = await keyOf(password, salt, KEY_BYTES, cost);
  return `$scrypt$ln=${cost.ln},r=${cost.r},p=${cost.p}$${unpadded(salt)}$${unpadded(key)}`;
}

/** Throws the sentence of `parsePasswordHash` when the hash is none. The work is done beside the main loop. */
export async function isPassword(password: string, hash: string): Promise<boolean> {
  const { salt, key, ...cost } = parsePasswordHash(hash);
  return timingSafeEqual(await keyOf(password, salt, key.length, cost), key);
}

/** Reads a hash; throws a sentence, which does not repeat it. */
export function parsePasswordHash(text: string): PasswordHash {
  const found =
    /^\$scrypt\$ln=(\d{1,2}),r=(\d{1,2}),p=(\d{1,2})\$([A-Za-z0-9+/]+)\$([A-Za-z0-9+/]+)$/.exec(
      text,
    );
  if (!found) throw new Error('expected $scrypt$ln=…,r=…,p=…$…$…, as vm-sync hash-password prints');
  const [, ln, r, p, salt = '', key = ''] = found;
  const hash: PasswordHash = {
    ln: Number(ln),
    r: Number(r),
    p: Number(p),
    salt: Buffer.from(salt, 'base64'),
    key: Buffer.from(key, 'base64'),
  };
  if (hash.ln < 10 || hash.r < 1 || hash.p < 1 || hash.salt.length < 8 || hash.key.length < 16) {
    throw new Error('too weak a hash: make one with vm-sync hash-password');
  }
  if (memoryOf(hash) > MEMORY_MOST || hash.p > ROUNDS_MOST) {
    throw new Error(
      'too costly a hash (more than 128 MiB, or p above 16): make one with vm-sync hash-password',
    );
  }
  return hash;
}

const memoryOf = ({ ln, r }: Cost): number => 128 * 2 ** ln * r;

const keyOf = (password: string, salt: Buffer, bytes: number, cost: Cost): Promise<Buffer> =>
  // The same character can be typed in two ways; keyboards of two systems differ in it.
  derive(password.normalize('NFKC'), salt, bytes, {
    N: 2 ** cost.ln,
    r: cost.r,
    p: cost.p,
    // Node counts its own buffers as well.
    maxmem: 2 * memoryOf(cost),
  });

const unpadded = (bytes: Buffer): string => bytes.toString('base64').replace(/=+$/, '');
