import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { freePort, startProcess, until } from '../src/index.ts';

const ready = async (): Promise<boolean> => true;

/** A zombie is dead too: who adopts orphans may be slow to reap them. */
function lives(pid: number): boolean {
  try {
    return !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
}

test('free ports are different and can be listened on', async () => {
  const ports = await Promise.all([freePort(), freePort(), freePort()]);
  expect(new Set(ports).size).toBe(3);
  const server = createServer().listen(ports[0], '127.0.0.1');
  onTestFinished(() => void server.close());
  await once(server, 'listening');
});

test('a process that never serves is ended, and its output told', async () => {
  const start = startProcess({
    name: 'a mute',
    command: process.execPath,
    args: ['-e', 'console.log("I am", process.pid); setInterval(() => {}, 1000)'],
    ready: async () => false,
    patience: { deadlineMs: 700 },
  });
  const error = await start.then(
    () => undefined,
    (cause: unknown) => String(cause),
  );
  expect(error).toContain('waited 0.7 s for a mute to serve');
  const pid = Number(/I am (\d+)/.exec(error ?? '')?.[1]);
  expect(pid).toBeGreaterThan(0);
  expect(lives(pid)).toBe(false);
});

test('a program that is not there is an error', async () => {
  const never = async (): Promise<boolean> => false;
  const options = { name: 'nothing', command: '/no/such/program', args: [], ready: never };
  await expect(startProcess(options)).rejects.toThrow(/nothing ended at once[\s\S]*no.such/);
});

test('a paused process can be stopped', async () => {
  const args = ['-e', 'setInterval(() => {}, 1000)'];
  const sleeper = await startProcess({ name: 'sleeper', command: process.execPath, args, ready });
  sleeper.pause();
  await sleeper.stop();
  expect(lives(sleeper.pid)).toBe(false);
});

test('children die with their parent, even when that is killed', async () => {
  const kit = JSON.stringify(import.meta.resolve('../src/process.ts'));
  const script = `
    import { startProcess } from ${kit};
    const args = ['-e', 'setInterval(() => {}, 1000)'];
    const ready = async () => true;
    const child = await startProcess({ name: 'c', command: process.execPath, args, ready });
    console.log(child.pid);
    setInterval(() => {}, 1000);`;
  const parent = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [line] = await once(parent.stdout, 'data');
  const child = Number(line);
  expect(lives(child)).toBe(true);
  parent.kill('SIGKILL');
  await until('the child to be gone', () => !lives(child), { deadlineMs: 5000 });
});
