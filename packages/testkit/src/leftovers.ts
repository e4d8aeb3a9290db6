import type { ChildProcess } from 'node:child_process';
import { rmSync } from 'node:fs';

/** What must not outlive this process: child processes and folders. */
export const leftovers: { children: Set<ChildProcess>; folders: Set<string> } = {
  children: new Set(),
  folders: new Set(),
};

process.on('exit', cleanUp);

// A signal ends a process without an exit event; vitest ends its workers so. A program with a listener
// of its own decides itself how to end.
for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  const onSignal = (): void => {
    if (process.listenerCount(signal) > 1) return;
    cleanUp();
    process.off(signal, onSignal);
    process.kill(process.pid, signal);
  };
  process.on(signal, onSignal);
}

function cleanUp(): void {
  for (const child of leftovers.children) child.kill('SIGKILL');
  for (const folder of leftovers.folders) {
    rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 20 });
  }
}
