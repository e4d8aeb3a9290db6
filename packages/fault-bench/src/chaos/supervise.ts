import { setTimeout as sleep } from 'node:timers/promises';
import type { VmSyncProcess } from '../vm-sync-process.ts';

/** A process that is started again whenever it has ended, as containers are. */
export interface Supervised extends AsyncDisposable {
  readonly name: string;
  /** The one that runs now, or ran last. */
  current(): VmSyncProcess;
  /** Ends it; it stays away until `start`. */
  end(how: 'kill' | 'stop'): Promise<void>;
  start(): void;
}

const LOOK_EVERY_MS = 200;

/** `onCrash` hears of every end that was not asked for, with the last lines of the log. */
export function supervise(
  name: string,
  spawn: () => VmSyncProcess,
  onCrash: (text: string) => void,
): Supervised {
  let process = spawn();
  let wanted = true;
  let stopped = false;
  const watching = (async () => {
    while (!stopped) {
      if (wanted && process.ended !== undefined) {
        const last = process.lines.slice(-5).map(({ level, msg }) => `${level} ${msg}`);
        onCrash(`${name} ended by itself (${process.ended}): ${last.join(' | ')}`);
        process = spawn();
      }
      await sleep(LOOK_EVERY_MS);
    }
  })();
  return {
    name,
    current: () => process,
    async end(how) {
      wanted = false;
      await process[how]();
    },
    start() {
      if (!wanted) process = spawn();
      wanted = true;
    },
    async [Symbol.asyncDispose]() {
      stopped = true;
      await watching;
    },
  };
}
