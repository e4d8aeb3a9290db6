import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { type VmVersion, vmProgramPath } from './binaries.ts';
import { startHealthServer } from './health-server.ts';
import { fetchOk } from './http.ts';
import { freePort } from './ports.ts';
import type { Server } from './server.ts';

export type AlertRule = {
  name: string;
  query: string;
  annotations: Readonly<Record<string, string>>;
  /** `inactive` until its query gives something. */
  state: 'inactive' | 'pending' | 'firing';
  /** Why it could not be evaluated; empty when it could, or has not been yet. */
  lastError: string;
  /** False before its first evaluation. */
  evaluated: boolean;
};

export type Vmalert = Server & { readonly url: string; rules(): Promise<AlertRule[]> };

export type VmalertOptions = {
  version?: VmVersion;
  /** Base URL of the VictoriaMetrics that is asked. */
  target: string;
  /** The file of rules. */
  rules: string;
};

/** A vmalert on loopback that evaluates a file's rules and tells nobody. */
export async function startVmalert(options: VmalertOptions): Promise<Vmalert> {
  const { version = 'oldest', target, rules } = options;
  const server = await startHealthServer('vmalert', version, [
    `-rule=${rules}`,
    `-datasource.url=${target}`,
    // The oldest cannot do without a receiver, and does not mind that nobody listens there.
    ...(version === 'oldest'
      ? [`-notifier.url=http://127.0.0.1:${await freePort()}`]
      : ['-notifier.blackhole', '-rule.evalDelay=0s']),
  ]);
  return {
    ...server,
    get pid() {
      return server.pid;
    },
    rules: async () => rulesIn(await fetchOk(`${server.url}/api/v1/rules`)),
  };
}

function rulesIn(text: string): AlertRule[] {
  const { data } = JSON.parse(text) as { data: { groups: { rules: RuleAnswer[] }[] } };
  return data.groups
    .flatMap((group) => group.rules)
    .map(({ name, query, annotations, state, lastError, lastEvaluation }) => ({
      ...{ name, query, annotations, state, lastError: lastError ?? '' },
      evaluated: Date.parse(lastEvaluation) > 0,
    }));
}

type RuleAnswer = Omit<AlertRule, 'lastError' | 'evaluated'> & {
  lastError?: string;
  lastEvaluation: string;
};

/** What vmalert says of a file of rules; an empty text when it finds nothing wrong. */
export async function checkRules(version: VmVersion, rules: string): Promise<string> {
  const args = ['-dryRun', `-rule=${rules}`, '-loggerLevel=FATAL'];
  try {
    await promisify(execFile)(vmProgramPath(version, 'vmalert'), args);
    return '';
  } catch (error) {
    const { stdout, stderr } = error as { stdout?: string; stderr?: string };
    return `${stdout ?? ''}${stderr ?? ''}` || String(error);
  }
}
