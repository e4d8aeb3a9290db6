import { mkdir, writeFile } from 'node:fs/promises';
import { cpus, totalmem } from 'node:os';
import { dirname } from 'node:path';
import { programPath } from '@vm-sync/testkit';
import { type Options, UsageError } from './options.ts';
import { formatTable, isMet, type Results, ratioOf } from './results.ts';
import { Sources } from './sources.ts';
import type { Workload } from './workload.ts';
import { cleanCheck } from './workloads/clean-check.ts';
import { cleanCheckLarge } from './workloads/clean-check-large.ts';
import { dashboardLoad } from './workloads/dashboard-load.ts';
import { fullCopy } from './workloads/full-copy.ts';
import { fullCopyLines } from './workloads/full-copy-lines.ts';
import { hole } from './workloads/hole.ts';
import { scattered } from './workloads/scattered.ts';
import { workers } from './workloads/workers.ts';

const WORKLOADS: readonly Workload[] = [
  fullCopy,
  hole,
  fullCopyLines,
  scattered,
  cleanCheck,
  cleanCheckLarge,
  workers,
  dashboardLoad,
];

/** Runs the workloads one after the other, prints the table and writes everything as JSON. */
export async function runBench(options: Options): Promise<void> {
  const chosen = choose(options.only);
  for (const program of ['bash', 'curl', 'redis-server']) programPath(program);
  const { rounds, scale } = options;
  const sources = new Sources(scale, say);
  const machine = describeMachine();
  const startedAt = new Date();
  say(`${machine}; scale ${scale}, ${rounds} rounds`);
  const found: { name: string; results: Results }[] = [];
  for (const workload of chosen) {
    say(`${workload.name}: ${workload.about}`);
    const results = await workload.run({ rounds, scale, sources, say });
    found.push({ name: workload.name, results });
  }
  const rows = found.flatMap(({ results }) => results.rows);
  print(`\n${formatTable(rows)}\n`);
  print(`scale ${scale} (the targets hold for 1), medians of ${rounds} rounds, ${machine}`);
  for (const { name, results } of found) {
    for (const note of results.notes) print(`${name}: ${note}`);
  }
  const report = {
    startedAt: startedAt.toISOString(),
    tookMs: Date.now() - startedAt.getTime(),
    machine,
    scale,
    rounds,
    rows: rows.map((row) => ({ ...row, ratio: ratioOf(row) ?? null, met: isMet(row) ?? null })),
    workloads: Object.fromEntries(
      found.map(({ name, results: { rows: _, ...rest } }) => [name, rest]),
    ),
  };
  await mkdir(dirname(options.out), { recursive: true });
  await writeFile(options.out, `${JSON.stringify(report, null, 2)}\n`);
  print(`\nwritten to ${options.out}`);
}

function choose(only: readonly string[]): readonly Workload[] {
  const names = WORKLOADS.map(({ name }) => name);
  const unknown = only.filter((name) => !names.includes(name));
  if (unknown.length > 0) {
    throw new UsageError(
      `no workload is called ${unknown.join(', ')}; there are ${names.join(', ')}`,
    );
  }
  return WORKLOADS.filter(({ name }) => only.length === 0 || only.includes(name));
}

function describeMachine(): string {
  const [first] = cpus();
  const gib = Math.round(totalmem() / 2 ** 30);
  return `${cpus().length} × ${first?.model ?? 'unknown processor'}, ${gib} GiB, Node ${process.version}`;
}

const print = (line: string): void => void process.stdout.write(`${line}\n`);

/** Progress, beside the results. */
function say(line: string): void {
  process.stderr.write(`${new Date().toISOString().slice(11, 19)} ${line}\n`);
}
