import { readFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join, resolve } from 'node:path';
import { type RunningProcess, startProcess, until } from '@vm-sync/testkit';

/** One line of vm-sync's own log. */
export interface LogLine {
  readonly level: string;
  readonly msg: string;
  /** Of lines that tell an event: its kind. */
  readonly event?: string;
  readonly runId?: string;
}

export interface VmSync {
  readonly url: string;
  readonly logFile: string;
  /** Waits for a line of the log that fits, among those that came after `since`. */
  saw(
    what: string,
    fits: (line: LogLine) => boolean,
    patience: { deadlineMs: number; since?: number },
  ): Promise<LogLine>;
  /** How many lines the log has now. */
  lines(): Promise<number>;
  stop(): Promise<void>;
}

const repository = resolve(import.meta.dirname, '../../..');

/** The real `vm-sync up` as a process of its own, with these settings and nothing else of this environment. */
export async function startVmSync(
  folder: string,
  logFile: string,
  settings: Readonly<Record<string, string>>,
): Promise<VmSync> {
  const port = await nextFreePort(3000);
  const url = `http://127.0.0.1:${port}`;
  const env = {
    PATH: process.env['PATH'] ?? '',
    HOME: folder,
    STATE_FILE: join(folder, 'vm-sync-state.json'),
    DASHBOARD_PORT: String(port),
    ...settings,
  };
  const variables = Object.entries(env).map(([name, value]) => `${name}=${value}`);
  const main = join(repository, 'apps/cli/src/main.ts');
  const up = [process.execPath, '--conditions=@vm-sync/source', main, 'up'];
  const running = await startProcess({
    name: 'vm-sync up',
    command: 'sh',
    args: ['-c', 'exec env -i "$@" >"$0" 2>&1', logFile, ...variables, ...up],
    cwd: folder, // an .env of a real site must not be read
    ready: async () => (await fetch(`${url}/healthz`)).ok,
  }).catch(async (error: Error) => {
    throw new Error(`${error.message}\n${await readFile(logFile, 'utf8').catch(() => '')}`);
  });
  return {
    url,
    logFile,
    stop: () => running.stop(),
    lines: async () => (await readLog(logFile)).length,
    saw: (what, fits, { deadlineMs, since = 0 }) =>
      until(
        what,
        async () => {
          const log = await readLog(logFile);
          const found = log.slice(since).find(fits);
          if (!found && !isAlive(running)) return { ended: true as const };
          return found;
        },
        { deadlineMs },
      ).then((found) => {
        if ('ended' in found) throw new Error(`vm-sync ended while the demo waited for ${what}`);
        return found;
      }),
  };
}

async function readLog(file: string): Promise<LogLine[]> {
  const text = await readFile(file, 'utf8');
  return text
    .split('\n')
    .slice(0, -1) // the last one may be half written
    .map((line) => {
      try {
        return JSON.parse(line);
      } catch {
        return { level: 'error', msg: line };
      }
    });
}

function isAlive({ pid }: RunningProcess): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

async function nextFreePort(first: number): Promise<number> {
  for (let port = first; port < first + 100; port++) {
    const free = await new Promise<boolean>((told) => {
      const probe = createServer();
      probe.once('error', () => told(false));
      probe.listen(port, '127.0.0.1', () => probe.close(() => told(true)));
    });
    if (free) return port;
  }
  throw new Error(`no free port from ${first} to ${first + 99} for the dashboard`);
}
