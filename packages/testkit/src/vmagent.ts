import { join } from 'node:path';
import { type VmVersion, vmProgramPath } from './binaries.ts';
import { temporaryFolder } from './folders.ts';
import { fetchText } from './http.ts';
import { freePort } from './ports.ts';
import { startProcess } from './process.ts';
import { type Server, startServer } from './server.ts';

/** A vmagent; with the same queues on disk after kill() and start(). */
export type Vmagent = Server & { readonly url: string };

/** A vmagent on loopback that writes what it is given to every target. */
export async function startVmagent(options: {
  version?: VmVersion;
  /** Base URLs of VictoriaMetrics. */
  targets: readonly string[];
}): Promise<Vmagent> {
  const { version = 'oldest', targets } = options;
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const name = `vmagent (${version}) on port ${port}`;
  const command = vmProgramPath(version, 'vmagent');
  const args = [
    `-httpListenAddr=127.0.0.1:${port}`,
    ...targets.map((target) => `-remoteWrite.url=${target}/api/v1/write`),
    `-remoteWrite.tmpDataPath=${join(temporaryFolder('vmagent'), 'queues')}`,
  ];
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
