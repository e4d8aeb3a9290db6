import type { RunningProcess } from './process.ts';

/** A server process that can be ended and started again with the same port and data. */
export type Server = {
  /** Changes with every start. */
  readonly pid: number;
  /** The last lines of what it printed. */
  output(): string;
  start(): Promise<void>;
  /** Ends it properly; fine when it has ended already. */
  stop(): Promise<void>;
  /** SIGKILL; fine when it has ended already. */
  kill(): Promise<void>;
  restart(): Promise<void>;
  /** SIGSTOP: connections stay open, nothing is answered. */
  pause(): void;
  resume(): void;
};

/** Runs what `launch` starts, and lets it be ended and launched again. */
export async function startServer(
  name: string,
  launch: () => Promise<RunningProcess>,
): Promise<Server> {
  let running: RunningProcess | undefined = await launch();
  const current = (): RunningProcess => {
    if (running === undefined) throw new Error(`${name} is not running; call start() first`);
    return running;
  };
  const end = async (how: 'stop' | 'kill'): Promise<void> => {
    const ending = running;
    running = undefined;
    await ending?.[how]();
  };
  const start = async (): Promise<void> => {
    if (running !== undefined) throw new Error(`${name} is running already`);
    running = await launch();
  };
  return {
    get pid() {
      return current().pid;
    },
    output: () => current().output(),
    start,
    stop: () => end('stop'),
    kill: () => end('kill'),
    async restart() {
      await end('stop');
      await start();
    },
    pause: () => current().pause(),
    resume: () => current().resume(),
  };
}
