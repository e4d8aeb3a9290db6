import { readFileSync } from 'node:fs';

/** Variables as strings; empty ones count as absent, because compose files write them so. */
export type Env = Readonly<Record<string, string>>;

/**
 * Gathers the environment: the process' own variables win over those of the file. Throws a sentence when a named file
 * cannot be read; the default `.env` may be absent.
 */
export function readEnv(processEnv: NodeJS.ProcessEnv, file: string | undefined): Env {
  const env: Record<string, string> = {};
  for (const source of [parseEnvFile(readEnvFile(file)), processEnv]) {
    for (const [name, value] of Object.entries(source)) {
      if (value !== undefined && value.trim() !== '') env[name] = value;
    }
  }
  return env;
}

function readEnvFile(file: string | undefined): string {
  try {
    return readFileSync(file ?? '.env', 'utf8');
  } catch (error) {
    if (file === undefined) return '';
    throw new Error(`cannot read the file named by --env-file: ${(error as Error).message}`);
  }
}

/** The same reading as `docker compose` gives such a file: `NAME=value`, quotes around a value are taken off. */
export function parseEnvFile(text: string): Record<string, string> {
  const env: Record<string, string> = {};
  for (const line of text.split('\n')) {
    const found = /^\s*(?:export\s+)?([A-Za-z_]\w*)\s*=(.*)$/.exec(line.trimEnd());
    if (!found) continue;
    const [, name = '', raw = ''] = found;
    const quoted = /^\s*(["'])(.*?)\1(?:\s+#.*)?$/.exec(raw);
    env[name] = quoted ? (quoted[2] ?? '') : raw.replace(/(?<!\s)\s+#.*$/, '').trim();
  }
  return env;
}
