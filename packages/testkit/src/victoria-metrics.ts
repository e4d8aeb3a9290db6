import { type VmVersion, vmProgramPath } from './binaries.ts';
import type { Certificates } from './certificates.ts';
import { type Disk, mountDisk } from './disk.ts';
import { exportRaw, type RawExport, type RawSamples } from './export-raw.ts';
import { temporaryFolder } from './folders.ts';
import { type Access, fetchOk, fetchText } from './http.ts';
import { importLines, importLinesOf } from './import-series.ts';
import { freePort } from './ports.ts';
import { startProcess } from './process.ts';
import type { Series } from './series.ts';
import { type Server, startServer } from './server.ts';

export type VmOptions = {
  version?: VmVersion;
  /** More command-line flags, such as `-search.maxUniqueTimeseries=10`. */
  flags?: readonly string[];
  /** How long samples are kept, such as `100y` or `30d`. */
  retention?: string;
  /** Interval of deduplication, such as `1ms` or `60s`; none when absent. */
  dedup?: string;
  /** Serve HTTPS with these certificates. */
  tls?: Certificates;
  /** Serve everything below this path, such as `/vm`. */
  pathPrefix?: string;
  /** Ask for this login. */
  auth?: { username: string; password: string };
  /** Its data lie on a disk of their own of this size; only where `canMount()` says nothing against it. */
  disk?: { sizeMb: number };
};

export type VmServer = Server &
  Access & {
    /** Base URL without a slash at its end, path prefix included. */
    readonly url: string;
    readonly port: number;
    readonly version: VmVersion;
    readonly dataDir: string;
    /** More flags from the next start on, instead of those that were set before. */
    setFlags(flags: readonly string[]): void;
    /** Where it was started with one. */
    readonly disk: Disk | undefined;
    /** Writes series, or JSON lines as they are. */
    import(rows: Iterable<Series> | Iterable<string>): Promise<void>;
    /** Makes everything imported so far visible to queries. */
    flush(): Promise<void>;
    /** Reads samples back; see `exportRaw`. */
    export(options?: RawExport): Promise<RawSamples>;
  };

/** A VictoriaMetrics on loopback, on a free port, with its data in a temporary folder. */
export async function startVictoriaMetrics(options: VmOptions = {}): Promise<VmServer> {
  const { version = 'oldest', tls, pathPrefix = '', auth } = options;
  const port = await freePort();
  const disk = options.disk && (await mountDisk(options.disk.sizeMb));
  const dataDir = disk?.folder ?? temporaryFolder('victoria-metrics');
  const url = `${tls ? 'https' : 'http'}://127.0.0.1:${port}${pathPrefix}`;
  const access: Access = { auth, ca: tls?.ca };
  const name = `VictoriaMetrics (${version}) on port ${port}`;
  const program = vmProgramPath(version, 'victoria-metrics');
  const flags = [
    `-httpListenAddr=127.0.0.1:${port}`,
    `-storageDataPath=${dataDir}`,
    `-retentionPeriod=${options.retention ?? '100y'}`,
    ...(options.dedup ? [`-dedup.minScrapeInterval=${options.dedup}`] : []),
    ...(tls ? ['-tls', `-tlsCertFile=${tls.serverCert}`, `-tlsKeyFile=${tls.serverKey}`] : []),
    ...(pathPrefix ? [`-http.pathPrefix=${pathPrefix}`] : []),
    ...(auth ? [`-httpAuth.username=${auth.username}`, `-httpAuth.password=${auth.password}`] : []),
    ...(options.flags ?? []),
  ];
  let more: readonly string[] = [];
  const [command, args] = disk?.enter(program, flags) ?? [program, flags];
  const ready = async (): Promise<boolean> =>
    (await fetchText(`${url}/health`, { ...access, timeoutMs: 1000 })).status === 200;
  const server = await startServer(name, () =>
    startProcess({ name, command, args: [...args, ...more], ready }),
  );
  return {
    ...server,
    ...access,
    get pid() {
      return server.pid;
    },
    url,
    port,
    version,
    dataDir: disk?.outside ?? dataDir,
    disk,
    setFlags: (flags) => {
      more = flags;
    },
    import: (rows) => importLines(url, asLines(rows), access),
    flush: async () => void (await fetchOk(`${url}/internal/force_flush`, access)),
    export: (raw) => exportRaw(url, { ...access, ...raw }),
  };
}

function* asLines(rows: Iterable<Series | string>): Generator<string> {
  for (const row of rows) {
    if (typeof row === 'string') yield row;
    else yield* importLinesOf([row]);
  }
}
