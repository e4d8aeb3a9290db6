import { readFileSync } from 'node:fs';

/** The most memory that a running process has held so far (VmHWM). */
export const peakBytes = (pid: number): number => kibOf(`/proc/${pid}/status`, 'VmHWM') * 1024;

/** Linux counts in hundredths of a second. */
const TICK_MS = 10;

/** The processor time that a running process has had so far, its own and the kernel's for it. */
export function processorMs(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  // Behind its name, which may hold anything.
  const [user, system] = stat
    .slice(stat.lastIndexOf(')') + 2)
    .split(' ')
    .slice(11, 13);
  return (Number(user) + Number(system)) * TICK_MS;
}

/** What could still be used on this machine without swapping. */
export const availableBytes = (): number => kibOf('/proc/meminfo', 'MemAvailable') * 1024;

function kibOf(file: string, name: string): number {
  const found = new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(readFileSync(file, 'utf8'));
  if (!found) throw new Error(`${file} has no ${name}`);
  return Number(found[1]);
}
