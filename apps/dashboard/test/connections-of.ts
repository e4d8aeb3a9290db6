import { readFile } from 'node:fs/promises';
import type { Bench } from './setup.ts';

/** Established connections to a dashboard, as the kernel knows them. */
export async function connectionsOf({ dashboard }: Bench): Promise<number> {
  const port = Number(new URL(dashboard.url).port).toString(16).toUpperCase().padStart(4, '0');
  const lines = (await readFile('/proc/self/net/tcp', 'utf8')).trim().split('\n').slice(1);
  return lines.filter((line) => {
    const [, local, , state] = line.trim().split(/\s+/);
    return local?.endsWith(`:${port}`) && state === '01';
  }).length;
}
