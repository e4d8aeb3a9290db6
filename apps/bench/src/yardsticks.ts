import { spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';
import { programPath, type VmServer, vmProgramPath } from '@vm-sync/testkit';
import { EVERYTHING, type Range } from './data.ts';

/** What a yardstick took, from its start to its end. */
export interface Timed {
  readonly tookMs: number;
  /** What it wrote to its standard output. */
  readonly output: string;
}

const seconds = (ms: number): string => (ms / 1000).toFixed(3);

/** `curl export | curl import`, natively or as JSON lines; the output is the bytes that were exported. */
export function curlCopy(
  format: 'native' | 'lines',
  source: VmServer,
  destination: VmServer,
  range: Range,
): Promise<Timed> {
  const path = format === 'native' ? '/native' : '';
  return shell(
    'curl -fsS "$0" -d "match[]=$2" -d "start=$3" -d "end=$4" -w "%{stderr}%{size_download}" 2>&3 |' +
      ' curl -fsS -X POST -T - -H Expect: "$1"',
    [
      `${source.url}/api/v1/export${path}`,
      `${destination.url}/api/v1/import${path}`,
      EVERYTHING,
      seconds(range.fromMs),
      seconds(range.toMs),
    ],
  );
}

/** The bytes of an export as JSON lines when it is compressed. */
export async function compressedExportBytes(source: VmServer, range: Range): Promise<number> {
  const { output } = await shell(
    'curl -fsS --compressed "$0" -d "match[]=$1" -d "start=$2" -d "end=$3" -o /dev/null -w "%{size_download}"',
    [`${source.url}/api/v1/export`, EVERYTHING, seconds(range.fromMs), seconds(range.toMs)],
  );
  return Number(output);
}

/** The counts that a check cannot do without, by series and bucket, asked of both sites at the same time. */
export function curlCounts(
  sites: readonly VmServer[],
  range: Range,
  stepMs: number,
): Promise<Timed> {
  const one = (at: number) =>
    `curl -fsS "\${${at}}" -d "query=$0" -d "start=$1" -d "end=$2" -d "step=$3" -d nocache=1 -d timeout=120s -o /dev/null & p${at}=$!`;
  const started = sites.map((_, at) => one(at + 4)).join('\n');
  const awaited = sites.map((_, at) => `wait $p${at + 4}`).join(' && ');
  return shell(`${started}\n${awaited}`, [
    `count_over_time(${EVERYTHING}[${stepMs}ms]) keep_metric_names`,
    seconds(range.fromMs + stepMs),
    seconds(range.toMs),
    seconds(stepMs),
    ...sites.map(({ url }) => `${url}/api/v1/query_range`),
  ]);
}

/** The newest vmctl that there is. */
export function vmctlPath(): string {
  try {
    return vmProgramPath('newest', 'vmctl');
  } catch {
    return programPath('vmctl');
  }
}

/** `vmctl vm-native` with its defaults. */
export function vmctlCopy(source: VmServer, destination: VmServer, range: Range): Promise<Timed> {
  return shell(
    '"$0" vm-native -s --disable-progress-bar --vm-native-src-addr "$1" --vm-native-dst-addr "$2"' +
      ' --vm-native-filter-time-start "$3" --vm-native-filter-time-end "$4" >/dev/null',
    [
      vmctlPath(),
      source.url,
      destination.url,
      new Date(range.fromMs).toISOString(),
      new Date(range.toMs).toISOString(),
    ],
  );
}

/** Runs a line of bash to its end; throws with what it said when any part of it fails. */
async function shell(line: string, args: readonly string[]): Promise<Timed> {
  const startedMs = performance.now();
  // What is to be kept goes to standard output by 3, also from within a pipe.
  const child = spawn('bash', ['-o', 'pipefail', '-c', `exec 3>&1; ${line}`, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const ended = new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  const [output, complaint, code] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    ended,
  ]);
  if (code !== 0)
    throw new Error(`${line}\nended with ${code}: ${complaint.slice(-2000)}${output.slice(-2000)}`);
  return { tookMs: performance.now() - startedMs, output };
}
