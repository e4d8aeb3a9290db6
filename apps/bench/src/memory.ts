import { readFileSync } from 'node:fs';

/** The most memory that a running process has held so far (VmHWM). */
export const peakBytes = (pid: number): number => kibOf(`/proc/${pid}/status`, 'VmHWM') * 1024;

/** What could still be used on this machine without swapping. */
export const availableBytes = (): number => kibOf('/proc/meminfo', 'MemAvailable') * 1024;

function kibOf(file: string, name: string): number {
  const found = new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(readFileSync(file, 'utf8'));
  if (!found) throw new Error(`${file} has no ${name}`);
  return Number(found[1]);
}
