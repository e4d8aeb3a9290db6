import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { rmSync, statfsSync } from 'node:fs';
import { appendFile } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { findProgram, programPath } from './binaries.ts';
import { temporaryFolder } from './folders.ts';
import { leftovers } from './leftovers.ts';

/** A small disk of its own for a server's data. */
export type Disk = {
  /** Bytes that still fit. */
  freeBytes(): number;
  /** Writes until nothing more fits, or only so much. */
  fill(leaveBytes?: number): Promise<void>;
  /** Takes away again what `fill` wrote. */
  clear(): void;
};

/** Where a disk is: seen under `folder` by what is started through `enter`, under `outside` by everyone. */
export type Mount = Disk & {
  readonly folder: string;
  readonly outside: string;
  /** The command that runs `command` where the disk is mounted. */
  enter(command: string, args: readonly string[]): [string, string[]];
};

const mountInOwnNamespace = (script: string): string[] => ['--mount', '--', 'sh', '-c', script];

/** Whether disks can be made here: a reason why not, or undefined. Root may, but not in every container. */
export function canMount(): string | undefined {
  const [unshare, nsenter] = [findProgram('unshare'), findProgram('nsenter')];
  if (!unshare || !nsenter) return 'unshare or nsenter is missing';
  const { status, stderr } = spawnSync(
    unshare,
    mountInOwnNamespace('mount -t tmpfs -o size=1m tmpfs /mnt'),
    { encoding: 'utf8' },
  );
  return status === 0 ? undefined : `no disk can be mounted here: ${stderr.trim()}`;
}

const filler = 'filler';
const piece = Buffer.alloc(65_536);

/**
 * A disk of so many MB in memory, mounted where nobody else sees it: in a namespace that a process of ours holds, which
 * the kernel ends with us. So nothing stays mounted, however we end.
 */
export async function mountDisk(sizeMb: number): Promise<Mount> {
  const folder = temporaryFolder('disk');
  const script = `mount -t tmpfs -o size=${sizeMb}m tmpfs ${folder} && echo mounted && exec sleep infinity`;
  const holder = spawn(
    programPath('setpriv'),
    ['--pdeathsig', 'KILL', '--', programPath('unshare'), ...mountInOwnNamespace(script)],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  leftovers.children.add(holder);
  holder.once('exit', () => leftovers.children.delete(holder));
  const [line] = await Promise.race([
    once(createInterface(holder.stdout), 'line'),
    once(holder, 'exit').then(() => ['nothing was mounted']),
  ]);
  if (line !== 'mounted') throw new Error(`no disk of ${sizeMb} MB: ${canMount() ?? line}`);
  const outside = `/proc/${holder.pid}/root${folder}`;
  const freeBytes = (): number => {
    const { bavail, bsize } = statfsSync(outside);
    return bavail * bsize;
  };
  return {
    folder,
    outside,
    enter: (command, args) => [
      programPath('nsenter'),
      [`--mount=/proc/${holder.pid}/ns/mnt`, '--', command, ...args],
    ],
    freeBytes,
    async fill(leaveBytes = 0) {
      try {
        while (freeBytes() > leaveBytes) {
          const bytes = Math.min(piece.length, freeBytes() - leaveBytes);
          await appendFile(`${outside}/${filler}`, piece.subarray(0, bytes));
        }
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
      }
    },
    clear: () => rmSync(`${outside}/${filler}`, { force: true }),
  };
}
