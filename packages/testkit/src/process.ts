import { type ChildProcess, spawn } from 'node:child_process';
import { findProgram } from './binaries.ts';
import { leftovers } from './leftovers.ts';
import { type Patience, until } from './until.ts';

export type ProcessOptions = {
  /** What errors call it. */
  name: string;
  command: string;
  args: readonly string[];
  env?: Readonly<Record<string, string>>;
  cwd?: string;
  /** True once the process serves; may throw meanwhile. */
  ready: () => Promise<boolean>;
  patience?: Patience;
};

export type RunningProcess = {
  readonly pid: number;
  /** The last lines of what it printed. */
  output(): string;
  /** Asks it to end (SIGTERM) and waits until it has. */
  stop(): Promise<void>;
  /** SIGKILL, and waits until it is gone. */
  kill(): Promise<void>;
  /** SIGSTOP: it keeps its connections but answers nothing. */
  pause(): void;
  /** SIGCONT. */
  resume(): void;
};

const keptLines = 60;
const stopDeadlineMs = 20_000; // VictoriaMetrics gives running requests 7 s

/** Starts a program and waits until it serves; a program that ends before throws with its last lines. */
export async function startProcess(options: ProcessOptions): Promise<RunningProcess> {
  const [command, args] = dyingWithUs(options.command, options.args);
  const child = spawn(command, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...options.env },
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
  });
  leftovers.children.add(child);
  const output = collectOutput(child);
  const ended = endOf(child);
  const handle = handleOf(options.name, child, ended, output);
  try {
    await until(
      `${options.name} to serve`,
      async () => ended.how !== undefined || (await options.ready()),
      { deadlineMs: 20_000, everyMs: 20, ...options.patience },
    );
    if (ended.how !== undefined) throw new Error(`${options.name} ended at once: ${ended.how}`);
  } catch (error) {
    await handle.kill();
    throw new Error(`${String(error)}\n${output()}`);
  }
  return handle;
}

function handleOf(
  name: string,
  child: ChildProcess,
  ended: End,
  output: () => string,
): RunningProcess {
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    child.kill(signal);
    child.kill('SIGCONT'); // a paused process would not hear the signal
    await until(`${name} to end`, () => ended.how, { deadlineMs: stopDeadlineMs, everyMs: 10 });
  };
  return {
    pid: child.pid ?? 0,
    output,
    async stop() {
      try {
        await end('SIGTERM');
      } catch (error) {
        await end('SIGKILL');
        throw new Error(`${String(error)}\n${output()}`);
      }
    },
    kill: () => end('SIGKILL'),
    pause: () => void child.kill('SIGSTOP'),
    resume: () => void child.kill('SIGCONT'),
  };
}

/** Nothing here runs when this process is killed; then the kernel has to end the child. */
function dyingWithUs(command: string, args: readonly string[]): [string, string[]] {
  const setpriv = findProgram('setpriv');
  if (setpriv === undefined) return [command, [...args]];
  return [setpriv, ['--pdeathsig', 'KILL', '--', command, ...args]];
}

type End = { how: string | undefined };

function endOf(child: ChildProcess): End {
  const end: End = { how: undefined };
  const close = (how: string): void => {
    end.how ??= how;
    leftovers.children.delete(child);
  };
  child.once('error', (error) => close(error.message));
  child.once('exit', (code, signal) => close(signal ?? `exit code ${code}`));
  return end;
}

function collectOutput(child: ChildProcess): () => string {
  let lines: string[] = [];
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (text: string) => {
      lines = [...lines, ...text.split('\n').filter((line) => line !== '')].slice(-keptLines);
    });
  }
  return () => lines.join('\n');
}
