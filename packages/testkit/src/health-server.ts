import { type VmVersion, vmProgramPath } from './binaries.ts';
import { fetchText } from './http.ts';
import { freePort } from './ports.ts';
import { startProcess } from './process.ts';
import { type Server, startServer } from './server.ts';

/** A program beside VictoriaMetrics on a free port of loopback; it is ready when its own /health says so. */
export async function startHealthServer(
  program: 'vmagent' | 'vmalert' | 'vmauth',
  version: VmVersion,
  flags: readonly string[],
): Promise<Server & { readonly url: string }> {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const name = `${program} (${version}) on port ${port}`;
  const command = vmProgramPath(version, program);
  const args = [`-httpListenAddr=127.0.0.1:${port}`, ...flags];
  const ready = async (): Promise<boolean> =>
    (await fetchText(`${url}/health`, { timeoutMs: 1000 })).status === 200;
  const server = await startServer(name, () => startProcess({ name, command, args, ready }));
  return {
    ...server,
    get pid() {
      return server.pid;
    },
    url,
  };
}
