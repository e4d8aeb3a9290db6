import { readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { otherSite, SITES, type Site } from '@vm-sync/core';
import type { Fault, FaultMatch, FaultProxy, TcpFault, VmServer } from '@vm-sync/testkit';
import type { FaultKind } from './fault-kinds.ts';
import { activate, ODD_RECORDS, type Pair, passive, type VmSync } from './pair.ts';
import type { PlannedFault } from './plan-faults.ts';
import { type Random, seededRandom } from './random.ts';
import type { Supervised } from './supervise.ts';

/** Ends the fault. */
export type Heal = () => void | Promise<void>;

/** What it says beside the kind and the part, and how it ends. */
export interface Injected {
  readonly detail: string;
  readonly heal: Heal;
}

/** What was planned would destroy the only copy of something: nobody can make that good. */
const leftOut: Injected = { detail: 'left out: the other site may lack something', heal: () => {} };

/** From when to when samples were lost or came late by a fault's own doing: nobody can know of it earlier. */
export interface Disturbance {
  readonly site: Site;
  readonly kind: FaultKind;
  readonly fromMs: number;
  toMs: number;
}

interface World {
  readonly pair: Pair;
  readonly disturb: (site: Site, kind: FaultKind) => Disturbance;
}

type Inject = (world: World, part: string, random: Random) => Promise<Injected>;

/** Breaks what was planned. */
export const inject = (world: World, { kind, part, seed }: PlannedFault): Promise<Injected> =>
  INJECT[kind](world, part, seededRandom(seed));

const siteIn = (part: string): Site => (part.endsWith('primary') ? 'primary' : 'dr');
const targetOf = (part: string): number => SITES.indexOf(siteIn(part));
const vmOf = ({ stack }: Pair, part: string): VmServer => stack[siteIn(part)].vm;
const lineOf = (pair: Pair, part: string): FaultProxy => {
  const of = part.startsWith('line-a') ? pair.a : pair.b;
  return of.lines[siteIn(part)];
};
const vmSyncOf = (pair: Pair, part: string): VmSync => (part.endsWith('-a') ? pair.a : pair.b);
const processOf = ({ a, b }: Pair, part: string): Supervised =>
  (a.processes[part] ?? b.processes[part]) as Supervised;

/** A fault of the line from a vm-sync to a database, as its proxy knows it. */
const onLine =
  (make: (random: Random) => Fault): Inject =>
  async ({ pair }, part, random) => {
    const fault = make(random);
    const line = lineOf(pair, part);
    line.setFault(fault);
    return { detail: textOf(fault), heal: () => line.setFault(null) };
  };

const textOf = (fault: Fault): string =>
  JSON.stringify(fault, (_, value) => (value instanceof RegExp ? value.source : value));

const READS = /\/(export|export\/native|query|query_range|series|label\/.+\/values|metrics)$/;
const IMPORTS = /\/import(\/native)?$/;

const INJECT: Record<FaultKind, Inject> = {
  'samples-cut': async ({ pair: { collector } }, part) => {
    collector.cut(targetOf(part));
    return { detail: '', heal: () => collector.mend(targetOf(part)) };
  },
  'samples-lossy': async ({ pair: { collector } }, part, random) => {
    const percent = random.whole(10, 95);
    collector.thin(targetOf(part), percent);
    return { detail: `${percent} % arrive`, heal: () => collector.mend(targetOf(part)) };
  },
  'samples-late': async ({ pair: { collector } }, part) => {
    collector.hold(targetOf(part));
    return { detail: '', heal: () => collector.release(targetOf(part)) };
  },
  'vm-kill': async ({ pair, disturb }, part) => {
    const disturbance = disturb(siteIn(part), 'vm-kill');
    await vmOf(pair, part).kill();
    disturbance.toMs = Date.now();
    return { detail: '', heal: () => vmOf(pair, part).start() };
  },
  'vm-stop': async ({ pair }, part) => {
    await vmOf(pair, part).stop();
    return { detail: '', heal: () => vmOf(pair, part).start() };
  },
  'vm-freeze': async ({ pair }, part) => {
    vmOf(pair, part).pause();
    return { detail: '', heal: () => vmOf(pair, part).resume() };
  },
  'vm-read-only': async ({ pair }, part) => {
    const vm = vmOf(pair, part);
    vm.setFlags(['-storage.minFreeDiskSpaceBytes=100TB']);
    await vm.restart();
    vm.setFlags([]);
    return { detail: '', heal: () => vm.restart() };
  },
  'vm-wiped': async ({ pair, disturb }, part) => {
    const site = siteIn(part);
    const states = await Promise.all(
      [pair.a.state(), pair.b.state()].map((one) => one.catch(() => undefined)),
    );
    if (!states.every((state) => state?.failback_ready)) return leftOut;
    const disturbance = disturb(site, 'vm-wiped');
    const vm = vmOf(pair, part);
    await vm.kill();
    for (const name of await readdir(vm.dataDir)) {
      await rm(join(vm.dataDir, name), { recursive: true });
    }
    disturbance.toMs = Date.now();
    // What an operator does whose active site has lost everything: fail over.
    const flips = pair.active === site;
    if (flips) await activate(pair, otherSite(site));
    return { detail: flips ? 'was active: failed over' : '', heal: () => vm.start() };
  },
  'line-slow': onLine((random) => ({ kind: 'delay', ms: random.whole(100, 2_500) })),
  'line-dead': onLine(() => ({ kind: 'black-hole' })),
  'line-refuses': onLine((random) => ({
    kind: 'answer',
    status: random.pick([429, 500, 502, 503]),
    body: 'out of order',
    ...random.pick<FaultMatch>([{}, { path: READS }, { path: IMPORTS }, { first: 2 }]),
  })),
  'line-tears': onLine((random) => ({
    kind: 'cut',
    afterBytes: random.whole(0, 4_000),
    end: 'reset',
    ...random.pick<FaultMatch>([{}, { path: /export/ }, { path: /query_range$/ }]),
  })),
  'line-ends-early': onLine((random) => ({
    kind: 'cut',
    afterBytes: random.whole(0, 4_000),
    end: 'clean',
    wholeLines: random.chance(0.5),
    path: random.pick([/export/, READS]),
  })),
  'line-drops-rows': onLine((random) => ({
    kind: 'drop-rows',
    keepShare: random.whole(0, 9) / 10,
    path: '/api/v1/import',
  })),
  'line-loses-answers': onLine((random) => ({
    kind: 'lost-answer',
    end: random.pick(['reset', 'silence']),
    ...random.pick<FaultMatch>([{}, { path: IMPORTS }]),
  })),
  'line-drips': onLine((random) => ({ kind: 'drip', bytesPerS: random.whole(200, 20_000) })),
  'line-cuts-uploads': onLine((random) => ({
    kind: 'cut-request',
    afterBytes: random.whole(0, 3_000),
    path: IMPORTS,
  })),
  'clock-ahead': onLine((random) => ({
    kind: 'shift-clock',
    ms: random.whole(-120_000, 120_000),
  })),
  'redis-kill': async ({ pair }, part) => {
    const { redis } = vmSyncOf(pair, part);
    await redis.kill();
    return { detail: '', heal: () => redis.start() };
  },
  'redis-freeze': async ({ pair }, part) => {
    const { redis } = vmSyncOf(pair, part);
    redis.pause();
    return { detail: '', heal: () => redis.resume() };
  },
  'redis-wiped': async ({ pair }, part) => {
    await vmSyncOf(pair, part).redis.flushAll();
    return { detail: '', heal: () => {} };
  },
  'redis-line': async ({ pair }, part, random) => {
    const { redisLine } = vmSyncOf(pair, part);
    const fault = random.pick<TcpFault>([
      { kind: 'delay', ms: random.whole(20, 800) },
      { kind: 'refuse' },
      { kind: 'reset' },
      { kind: 'black-hole' },
      { kind: 'half-open' },
      { kind: 'drip', bytesPerS: random.whole(2_000, 50_000) },
      { kind: 'cut', afterBytes: random.whole(10, 20_000) },
    ]);
    redisLine.setFault(fault);
    return { detail: JSON.stringify(fault), heal: () => redisLine.setFault(null) };
  },
  'process-kill': async ({ pair }, part) => {
    await processOf(pair, part).end('kill');
    return { detail: '', heal: () => processOf(pair, part).start() };
  },
  'process-stop': async ({ pair }, part) => {
    await processOf(pair, part).end('stop');
    return { detail: '', heal: () => processOf(pair, part).start() };
  },
  'process-freeze': async ({ pair }, part) => {
    processOf(pair, part).current().pause();
    return { detail: '', heal: () => processOf(pair, part).current().resume() };
  },
  'state-lost': async ({ pair: { a } }) => {
    await rm(a.stateFile, { force: true });
    return { detail: '', heal: () => {} };
  },
  'state-corrupt': async ({ pair: { a } }, _, random) => {
    const text = random.pick(['', '{', '{"detail":{}}', '[1,2]', '\u0000\u0001']);
    await writeFile(a.stateFile, text);
    return { detail: JSON.stringify(text), heal: () => {} };
  },
  'dns-flip': async ({ pair }) => {
    await activate(pair, passive(pair));
    return { detail: `${pair.active} is active now`, heal: () => {} };
  },
  'dns-gone': async ({ pair }) => {
    await pair.stack.dns.kill();
    return { detail: '', heal: () => activate(pair, pair.active) };
  },
  'dns-silent': async ({ pair }) => {
    pair.stack.dns.pause();
    return { detail: '', heal: () => activate(pair, pair.active) };
  },
  'dns-odd': async ({ pair }, _, random) => {
    const records = random.pick(ODD_RECORDS);
    await pair.stack.dns.set(records);
    return { detail: JSON.stringify(records), heal: () => activate(pair, pair.active) };
  },
  'webhook-down': async ({ pair: { stack } }, _, random) => {
    const status = random.pick([429, 500, 503]);
    stack.webhook.setStatus(status);
    return { detail: `answers ${status}`, heal: () => stack.webhook.setStatus(200) };
  },
};
