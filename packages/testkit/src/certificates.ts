import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { programPath } from './binaries.ts';
import { temporaryFolder } from './folders.ts';

/** Paths of PEM files, and the authority's certificate also as text. */
export type Certificates = {
  ca: string;
  caCert: string;
  /** Good for 127.0.0.1, ::1 and localhost. */
  serverCert: string;
  serverKey: string;
  clientCert: string;
  clientKey: string;
};

const run = promisify(execFile);

/** A certificate authority of its own with a server's and a client's certificate, valid for a day. */
export async function selfSignedCertificate(): Promise<Certificates> {
  const folder = temporaryFolder('certificates');
  const openssl = programPath('openssl');
  const file = (name: string): string => join(folder, name);
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  const authority = ['-CA', file('ca.crt'), '-CAkey', file('ca.key'), '-days', '1'];
  const make = async (name: string, subject: string, extensions: string[]): Promise<void> => {
    const names = ['-subj', `/CN=${subject}`, '-keyout', file(`${name}.key`)];
    const added = extensions.flatMap((extension) => ['-addext', extension]);
    const out = ['-out', file(`${name}.crt`)];
    if (name === 'ca') {
      await run(openssl, ['req', '-x509', ...key, ...names, '-days', '1', ...added, ...out]);
      return;
    }
    const request = file(`${name}.csr`);
    const settings = file(`${name}.ext`);
    await writeFile(settings, extensions.join('\n'));
    await run(openssl, ['req', '-new', ...key, ...names, '-out', request]);
    const signing = ['-in', request, ...authority, '-CAcreateserial', '-extfile', settings];
    await run(openssl, ['x509', '-req', ...signing, ...out]);
  };
  await make('ca', 'vm-sync test authority', ['keyUsage=critical,keyCertSign,cRLSign']);
  await make('server', 'localhost', [
    'subjectAltName=IP:127.0.0.1,IP:::1,DNS:localhost',
    'extendedKeyUsage=serverAuth',
  ]);
  await make('client', 'vm-sync test client', ['extendedKeyUsage=clientAuth']);
  return {
    ca: await readFile(file('ca.crt'), 'utf8'),
    caCert: file('ca.crt'),
    serverCert: file('server.crt'),
    serverKey: file('server.key'),
    clientCert: file('client.crt'),
    clientKey: file('client.key'),
  };
}
