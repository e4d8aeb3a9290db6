import { join } from 'node:path';
import type { VmVersion } from './binaries.ts';
import { temporaryFolder } from './folders.ts';
import { startHealthServer } from './health-server.ts';
import type { Server } from './server.ts';

/** A vmagent; with the same queues on disk after kill() and start(). */
export type Vmagent = Server & { readonly url: string };

/** A vmagent on loopback that writes what it is given to every target. */
export async function startVmagent(options: {
  version?: VmVersion;
  /** Base URLs of VictoriaMetrics. */
  targets: readonly string[];
}): Promise<Vmagent> {
  const { version = 'oldest', targets } = options;
  return startHealthServer('vmagent', version, [
    ...targets.map((target) => `-remoteWrite.url=${target}/api/v1/write`),
    `-remoteWrite.tmpDataPath=${join(temporaryFolder('vmagent'), 'queues')}`,
  ]);
}
