import { readdir, readFile } from 'node:fs/promises';
import type { Pair } from './pair.ts';

/** What a process used in its first minute and at the end of a run; bytes of memory, number of open handles. */
export interface Usage {
  readonly name: string;
  readonly pid: number;
  readonly firstBytes: number;
  readonly lastBytes: number;
  readonly firstHandles: number;
  readonly lastHandles: number;
}

export interface UsageCounter {
  end(): Promise<Usage[]>;
}

const WARM_UP_MS = 30_000;

/** Counts the processes of vm-sync once they are warm, and those of them that still live at the end again. */
export function usageOf({ a, b }: Pair): UsageCounter {
  const processes = Object.values({ ...a.processes, ...b.processes });
  const first = new Map<number, { bytes: number; handles: number }>();
  const timer = setTimeout(async () => {
    for (const { current } of processes) {
      const { pid } = current();
      const now = await usageNow(pid);
      if (now) first.set(pid, now);
    }
  }, WARM_UP_MS);
  return {
    async end() {
      clearTimeout(timer);
      const found: Usage[] = [];
      for (const { name, current } of processes) {
        const { pid } = current();
        const [before, now] = [first.get(pid), await usageNow(pid)];
        if (!before || !now) continue;
        found.push({
          name,
          pid,
          firstBytes: before.bytes,
          lastBytes: now.bytes,
          firstHandles: before.handles,
          lastHandles: now.handles,
        });
      }
      return found;
    },
  };
}

/** Of a process of Linux; undefined when it has ended. */
async function usageNow(pid: number): Promise<{ bytes: number; handles: number } | undefined> {
  try {
    const status = await readFile(`/proc/${pid}/status`, 'utf8');
    const kib = Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1]);
    return { bytes: kib * 1024, handles: (await readdir(`/proc/${pid}/fd`)).length };
  } catch {
    return undefined;
  }
}
