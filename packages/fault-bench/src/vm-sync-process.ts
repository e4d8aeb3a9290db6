import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { programPath, until } from '@vm-sync/testkit';

export type Env = Readonly<Record<string, string>>;

/** One line of a process' log, as it stands on standard output. */
export type LogLine = { level: string; msg: string; process?: string } & Record<string, unknown>;

export type ProcessName = 'up' | 'scheduler' | 'worker' | 'dashboard';

export type VmSyncProcess = AsyncDisposable & {
  readonly name: ProcessName;
  readonly pid: number;
  /** Every line of the log so far; a line that is no JSON stands as `{ level: 'text', msg }`. */
  readonly lines: readonly LogLine[];
  /** Exit code or signal, undefined while it runs. */
  readonly ended: string | undefined;
  /** Waits for a line of the log whose message fits. */
  untilLog(pattern: RegExp, deadlineMs?: number): Promise<LogLine>;
  /** SIGTERM, and waits until it has ended. */
  stop(): Promise<void>;
  /** SIGKILL, and waits until it is gone. */
  kill(): Promise<void>;
  /** SIGSTOP. */
  pause(): void;
  /** SIGCONT. */
  resume(): void;
};

const main = join(import.meta.dirname, '../../../apps/cli/src/main.ts');
/** Half of what a process' start costs is the compiler's: what it did once is kept. */
const compiled = {
  NODE_COMPILE_CACHE: join(import.meta.dirname, '../../../.cache/node-compile'),
};

// Behind `--`, or Node takes --env-file for its own, wherever it stands.
const node = [process.execPath, '--conditions=@vm-sync/source', '--', main];

/** The real program as users start it, with this environment and no other. */
function launch(args: readonly string[], cwd: string, env: Env): ChildProcess {
  return start([...node, ...args], cwd, env);
}

function start(command: readonly string[], cwd: string, env: Env): ChildProcess {
  // The kernel ends it with us, however we end.
  const dying = ['--pdeathsig', 'KILL', '--', ...command];
  return spawn(programPath('setpriv'), dying, {
    cwd,
    env: { ...compiled, ...env },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
}

export function spawnVmSync(name: ProcessName, cwd: string, env: Env): VmSyncProcess {
  const child = launch([name], cwd, env);
  const lines: LogLine[] = [];
  let ended: string | undefined;
  child.once('exit', (code, signal) => {
    ended = signal ?? `exit code ${code}`;
  });
  for (const stream of [child.stdout, child.stderr]) {
    if (stream) createInterface(stream).on('line', (line) => lines.push(parseLine(line)));
  }
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    child.kill(signal);
    child.kill('SIGCONT'); // a paused process would not hear the signal
    await until(`vm-sync ${name} to end`, () => ended, { everyMs: 10 });
  };
  return {
    name,
    pid: child.pid ?? 0,
    lines,
    get ended() {
      return ended;
    },
    untilLog: (pattern, deadlineMs = 60_000) =>
      until(
        `a line like ${pattern} from vm-sync ${name}`,
        () => {
          const found = lines.find(({ msg }) => pattern.test(msg));
          if (!found) throw new Error(lines.at(-1)?.msg ?? 'no line at all');
          return found;
        },
        { deadlineMs, everyMs: 20 },
      ),
    stop: () => end('SIGTERM'),
    kill: () => end('SIGKILL'),
    pause: () => void child.kill('SIGSTOP'),
    resume: () => void child.kill('SIGCONT'),
    async [Symbol.asyncDispose]() {
      if (ended === undefined) await end('SIGKILL');
    },
  };
}

export type Ran = { code: number | null; stdout: string; stderr: string };

/** A command that goes on until somebody ends it. */
export type RunningCommand = {
  /** What it has written to standard output. */
  text(): string;
  ended(): boolean;
  untilEnded(): Promise<Ran>;
  signal(signal: NodeJS.Signals): void;
  /** As if its reader had gone. */
  closeOutput(): void;
  /** What a person types. */
  type(keys: string): void;
};

export const startVmSync = (args: readonly string[], cwd: string, env: Env): RunningCommand =>
  running(launch(args, cwd, env));

/** On a pseudo terminal; standard error is the same terminal. */
export function startOnTerminal(args: readonly string[], cwd: string, env: Env): RunningCommand {
  const quoted = [...node, ...args].map((word) => `'${word}'`).join(' ');
  // Without a shell in between, which would be interrupted too.
  const script = ['--quiet', '--return', '--flush', '--command', `exec ${quoted}`, '/dev/null'];
  return running(start([programPath('script'), ...script], cwd, { SHELL: '/bin/sh', ...env }));
}

function running(child: ChildProcess): RunningCommand {
  const ran: Ran = { code: null, stdout: '', stderr: '' };
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    ran.stdout += text;
  });
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    ran.stderr += text;
  });
  const end = once(child, 'close').then(([code]) => ({ ...ran, code }) as Ran);
  return {
    text: () => ran.stdout,
    ended: () => child.exitCode !== null || child.signalCode !== null,
    untilEnded: () => end,
    signal: (signal) => void child.kill(signal),
    closeOutput: () => void child.stdout?.destroy(),
    type: (keys) => void child.stdin?.write(keys),
  };
}

/** Runs a command that ends by itself, with `input` on its standard input. */
export function runVmSync(
  args: readonly string[],
  cwd: string,
  env: Env,
  input = '',
): Promise<Ran> {
  const child = launch(args, cwd, env);
  child.stdin?.end(input);
  return running(child).untilEnded();
}

function parseLine(line: string): LogLine {
  try {
    const parsed: unknown = JSON.parse(line);
    if (typeof parsed === 'object' && parsed && 'msg' in parsed) return parsed as LogLine;
  } catch {
    // Not a line of the log: told as it is.
  }
  return { level: 'text', msg: line };
}
