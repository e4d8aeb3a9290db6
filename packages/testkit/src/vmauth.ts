import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { VmVersion } from './binaries.ts';
import { temporaryFolder } from './folders.ts';
import { startHealthServer } from './health-server.ts';
import type { Access } from './http.ts';
import type { Server } from './server.ts';

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
  const server = await startHealthServer('vmauth', version, [`-auth.config=${config}`]);
  return {
    ...server,
    get pid() {
      return server.pid;
    },
    username,
    password,
    config,
    auth: { username, password },
  };
}
