import { type DestinationStream, type Logger, pino } from 'pino';

export type { Logger };

/** One JSON line per event on standard output; readable lines on a terminal. */
export function createLogger(level: string, process: string, secrets: readonly string[]): Logger {
  const options = {
    level,
    base: { process },
    timestamp: () => `,"time":"${new Date().toISOString()}"`,
    formatters: { level: (label: string) => ({ level: label }) },
    // The last line of defence: errors of other libraries may quote what they were given.
    hooks: { streamWrite: (line: string) => withoutSecrets(line, secrets) },
  };
  return pino(options, destination());
}

function destination(): DestinationStream {
  if (!process.stdout.isTTY) return pino.destination({ dest: 1, sync: true });
  return pino.transport({
    target: 'pino-pretty',
    options: { ignore: 'pid,hostname,process', translateTime: 'SYS:HH:MM:ss' },
  }) as DestinationStream;
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
