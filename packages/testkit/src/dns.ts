import { Resolver } from 'node:dns/promises';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { programPath } from './binaries.ts';
import { temporaryFolder } from './folders.ts';
import { freePort } from './ports.ts';
import { startProcess } from './process.ts';
import { type Server, startServer } from './server.ts';

/** What a name answers. A name without a record answers NXDOMAIN. */
export type DnsRecord = {
  name: string;
  /** IPv4 and IPv6. */
  addresses?: readonly string[];
  /** Seconds. */
  ttl?: number;
  /** One text, or several. */
  txt?: string | readonly string[];
  /** Another name, which must have a record too. */
  cname?: string;
};

export type DnsServer = Server & {
  /** As resolvers take it: `127.0.0.1:port`. */
  readonly server: string;
  /** Replaces all records; when it returns, the new answers are given. */
  set(records: readonly DnsRecord[]): Promise<void>;
};

/** A dnsmasq on loopback that knows the given records and nothing else. */
export async function startDns(records: readonly DnsRecord[] = []): Promise<DnsServer> {
  const port = await freePort();
  const config = join(temporaryFolder('dns'), 'dnsmasq.conf');
  const address = `127.0.0.1:${port}`;
  const name = `dnsmasq on port ${port}`;
  const command = programPath('dnsmasq');
  const args = ['--keep-in-foreground', '--pid-file', `--conf-file=${config}`, '--log-facility=-'];
  await writeFile(config, configOf(port, records));
  const launch = () => startProcess({ name, command, args, ready: () => answers(address) });
  const server = await startServer(name, launch);
  return {
    ...server,
    get pid() {
      return server.pid;
    },
    server: address,
    async set(next) {
      await writeFile(config, configOf(port, next));
      await server.restart();
    },
  };
}

function configOf(port: number, records: readonly DnsRecord[]): string {
  const ground = [
    `port=${port}`,
    'listen-address=127.0.0.1',
    'bind-interfaces',
    'no-resolv',
    'no-hosts',
    'user=root', // started by root it would become a user who may not exist; otherwise ignored
    'local=/#/', // NXDOMAIN instead of REFUSED for all other names
  ];
  return [...ground, ...records.flatMap(linesOf), ''].join('\n');
}

function linesOf({ name, addresses = [], ttl = 0, txt, cname }: DnsRecord): string[] {
  return [
    ...addresses.map((address) => `host-record=${name},${address},${ttl}`),
    ...(txt === undefined ? [] : [txt].flat()).map((text) => `txt-record=${name},"${text}"`),
    ...(cname === undefined ? [] : [`cname=${name},${cname},${ttl}`]),
  ];
}

/** Any answer will do, also that there is no such name. */
async function answers(server: string): Promise<boolean> {
  const resolver = new Resolver({ timeout: 300, tries: 1 });
  resolver.setServers([server]);
  try {
    await resolver.resolve4('ready.invalid');
    return true;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'ENOTFOUND';
  }
}
