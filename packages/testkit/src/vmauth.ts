import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type VmVersion, vmProgramPath } from './binaries.ts';
import { temporaryFolder } from './folders.ts';
import { type Access, fetchText } from './http.ts';
import { freePort } from './ports.ts';
import { startProcess } from './process.ts';
import { type Server, startServer } from './server.ts';

export type VmauthOptions = {
  version?: VmVersion;
  /** Base URL of the VictoriaMetrics behind it. */
  target: string;
  /** What may be reached through it, each a regular expression for a whole path; all else answers 400. */
  paths?: readonly string[];
  username?: string;
  password?: string;
};

export type Vmauth = Server &
  Access & {
    readonly url: string;
    readonly username: string;
    readonly password: string;
    /** The file that it reads again at a SIGHUP. */
    readonly config: string;
  };

/** What vm-sync needs at the least; nothing of /internal, /metrics or /health is routed. */
export const vmauthPaths: readonly string[] = [
  '/api/v1/query',
  '/api/v1/query_range',
  '/api/v1/export',
  '/api/v1/export/native',
  '/api/v1/import',
  '/api/v1/import/native',
];

/** A vmauth on loopback that lets one user through to some paths of a VictoriaMetrics. */
export async function startVmauth(options: VmauthOptions): Promise<Vmauth> {
  const { version = 'oldest', username = 'tester', password = 'let me in' } = options;
  const routes = { src_paths: options.paths ?? vmauthPaths, url_prefix: options.target };
  const config = join(temporaryFolder('vmauth'), 'config.yaml');
  // JSON is YAML too
  await writeFile(config, JSON.stringify({ users: [{ username, password, url_map: [routes] }] }));
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const name = `vmauth (${version}) on port ${port}`;
  const command = vmProgramPath(version, 'vmauth');
  const args = [`-httpListenAddr=127.0.0.1:${port}`, `-auth.config=${config}`];
  const ready = async (): Promise<boolean> =>
    (await fetchText(`${url}/health`, { timeoutMs: 1000 })).status === 200; // its own, not the target's
  const server = await startServer(name, () => startProcess({ name, command, args, ready }));
  return {
    ...server,
    get pid() {
      return server.pid;
    },
    url,
    username,
    password,
    config,
    auth: { username, password },
  };
}
