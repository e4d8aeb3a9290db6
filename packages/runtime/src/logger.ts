import { escapedUnseen, VmSyncError } from '@vm-sync/core';
import { type DestinationStream, type Logger, pino, stdSerializers } from 'pino';
import { paintOn } from './paint.ts';
import { prettyLine } from './pretty-log.ts';

export type { Logger };

/** `auto`: for people on a terminal, JSON everywhere else. */
export type LogFormat = 'auto' | 'json' | 'pretty';

/** One line per event on standard output. */
export function createLogger(
  level: string,
  process: string,
  secrets: readonly string[],
  format: LogFormat = 'auto',
): Logger {
  const options = {
    level,
    base: { process },
    timestamp: () => `,"time":"${new Date().toISOString()}"`,
    formatters: { level: (label: string) => ({ level: label }) },
    serializers: { err: describeError },
    // The last line of defence: errors of other libraries may quote what they were given; logs are read on terminals.
    hooks: { streamWrite: (line: string) => escapedUnseen(withoutSecrets(line, secrets)) },
  };
  return pino(options, destination(format));
}

function destination(format: LogFormat): DestinationStream {
  const out = pino.destination({ dest: 1, sync: true });
  const isForPeople = format === 'pretty' || (format === 'auto' && process.stdout.isTTY);
  if (!isForPeople) return out;
  const paint = paintOn(process.stdout);
  return { write: (line: string) => void out.write(prettyLine(line, paint)) };
}

/** With every cause. Our own errors say what happened where; a stack is for those that nobody foresaw. */
function describeError(error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  const { stack, ...described } = stdSerializers.err(error);
  return error instanceof VmSyncError ? described : { ...described, stack };
}

/** The text with every secret, also as it stands in URLs and JSON, replaced by `***`. */
export function withoutSecrets(text: string, secrets: readonly string[]): string {
  const spellings = secrets.flatMap((secret) => [
    secret,
    encodeURIComponent(secret),
    JSON.stringify(secret).slice(1, -1),
  ]);
  // Longest first: a secret that begins with another would keep its end.
  const ordered = [...new Set(spellings)]
    .filter((one) => one !== '')
    .sort((a, b) => b.length - a.length);
  return ordered.reduce((clean, spelling) => clean.replaceAll(spelling, '***'), text);
}
