import { text } from 'node:stream/consumers';
import { hashPassword } from '@vm-sync/runtime';
import { complain, EXIT, type ExitCode, print } from '../output.ts';

/** The hash alone goes to standard output. Needs no settings. */
export async function printPasswordHash(input: NodeJS.ReadStream): Promise<ExitCode> {
  if (input.isTTY) complain('type the password (it is shown), then Enter and Ctrl-D');
  const password = (await text(input)).replace(/\r?\n$/, '');
  if (password === '' || /[\r\n]/.test(password)) {
    complain('expected one line, the password, on standard input');
    return EXIT.unknown;
  }
  print(await hashPassword(password));
  complain("put it between single quotes: DASHBOARD_PASSWORD_HASH='$scrypt$…'");
  return EXIT.fine;
}
