import { accessSync, constants } from 'node:fs';
import { delimiter, join, resolve } from 'node:path';

/** `oldest`: what the machine's own distribution installs; `newest`: what `./setup.sh test` unpacks. */
export const vmVersions = ['oldest', 'newest'] as const;
export type VmVersion = (typeof vmVersions)[number];

const repositoryRoot = resolve(import.meta.dirname, '../../..');

// Debian keeps servers such as dnsmasq where an ordinary user's PATH does not look.
const systemFolders = ['/usr/local/sbin', '/usr/sbin', '/sbin', '/usr/bin'];

/** Path of a program on PATH; throws a sentence that says what to do when it is missing. */
export function programPath(name: string): string {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), ...systemFolders];
  const found = findProgram(name);
  if (found === undefined) {
    throw new Error(`${name} is missing (looked in ${folders.join(', ')}); run ./setup.sh test`);
  }
  return found;
}

/** Path of a program on PATH, or undefined. */
export function findProgram(name: string): string | undefined {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), ...systemFolders];
  return folders.map((folder) => join(folder, name)).find(isExecutable);
}

/** Path of one of VictoriaMetrics' programs, such as `victoria-metrics`, `vmagent`, `vmalert` or `vmauth`. */
export function vmProgramPath(version: VmVersion, name: string): string {
  if (version === 'oldest') return programPath(name);
  const folder =
    process.env['VMSYNC_VM_NEWEST_DIR'] ??
    join(repositoryRoot, '.cache/victoria-metrics-new/usr/bin');
  const path = join(folder, name);
  if (!isExecutable(path)) throw new Error(`${path} is missing; run ./setup.sh test`);
  return path;
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
