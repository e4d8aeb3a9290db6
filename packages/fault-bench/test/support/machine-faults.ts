import { mkdir, rm, rmdir, truncate } from 'node:fs/promises';
import { addressOf, type MachineFault, rest, type StackOptions } from '@vm-sync/fault-bench';
import { canMount, type Server } from '@vm-sync/testkit';
import type { Unpaired } from './messages.ts';
import { end, type Part, type Row, spawnPart } from './row.ts';

/** How a fault is brought about and undone. */
export interface Act {
  readonly stack?: StackOptions;
  /** Why it cannot be brought about on this machine, undefined when it can. */
  cannot?(): string | undefined;
  /** Done while a request of the stage is held; it goes on afterwards. */
  strike(row: Row): void | Promise<void>;
  /** For how long it stays so. */
  lasts?(row: Row): Promise<unknown>;
  heal?(row: Row): void | Promise<void>;
  /** Undoes what was only needed until the gap was repaired. */
  tidy?(row: Row): Promise<void>;
  /** The source is killed: what it was just given must be on its disk by then, or nobody has it any more. */
  readonly losesSource?: true;
  /** Of what the end may be missing between the messages of two beginnings. */
  readonly unpaired?: Unpaired;
}

type ServerOf = (row: Row) => Server;

const source: ServerOf = ({ stack }) => stack.primary.vm;
const destination: ServerOf = ({ stack }) => stack.dr.vm;
const redis: ServerOf = ({ stack }) => stack.redis;
const dns: ServerOf = ({ stack }) => stack.dns;

const SILENCE_MS = 8_000;

const silent = (of: ServerOf): Act => ({
  strike: (row) => of(row).pause(),
  lasts: () => rest(SILENCE_MS),
  heal: (row) => of(row).resume(),
});

const restarted = (of: ServerOf): Act => ({ strike: (row) => of(row).restart() });

const killed = (of: ServerOf, lasts: (row: Row) => Promise<unknown>): Act => ({
  strike: (row) => of(row).kill(),
  lasts,
  heal: (row) => of(row).start(),
});

const noticed = ({ stack }: Row) =>
  stack.untilState('a check that could not ask', ({ last_error: error }) => error !== null);

const clockAhead = (site: 'primary' | 'dr'): Act => ({
  strike: ({ stack }) => stack[site].proxy.setFault({ kind: 'shift-clock', ms: 90_000 }),
  lasts: () => rest(5_000),
  heal: ({ stack }) => stack[site].proxy.setFault(null),
});

const killedPart = (part: Part): Act => ({
  strike: (row) => end(row, row.running[part]),
  heal: (row) => spawnPart(row, part),
});

/** Stopped, and gone on when another one has its work. */
function heldUp(part: Part, lockMs: number): Act {
  const held = new WeakMap<Row, Row['running'][Part]>();
  return {
    strike(row) {
      held.set(row, row.running[part]);
      row.running[part].pause();
      spawnPart(row, part);
    },
    lasts: () => rest(lockMs),
    heal: (row) => held.get(row)?.resume(),
    async tidy(row) {
      const process = held.get(row);
      if (process) await end(row, process, 'stop');
    },
  };
}

const recordOf = ({ stack }: Row, addresses: readonly string[]) => [
  { name: stack.env['DNS_RECORD'] ?? '', addresses },
];

const withoutDirection = ({ stack }: Row) =>
  stack.untilState('a check without a direction', ({ active_site: site }) => site === 'unknown');

const toPrimary = ({ stack }: Row) => stack.activate('primary');

const byDns = (act: Act): Act => ({ ...act, stack: { dns: true } });

/** A folder where the file is written before it takes its place; also root cannot write there. */
const obstacle = ({ stack, running }: Row) => `${stack.stateFile}.${running.scheduler.pid}.tmp`;

export const machineActs: Readonly<Record<MachineFault, Act>> = {
  'source database: SIGKILL': { ...killed(source, noticed), losesSource: true },
  'source database: SIGSTOP for 8 s': silent(source),
  'source database: restart': restarted(source),
  'destination database: SIGKILL': killed(destination, noticed),
  'destination database: SIGSTOP for 8 s': silent(destination),
  'destination database: restart': restarted(destination),
  'destination database: read-only': {
    async strike(row) {
      row.stack.dr.vm.setFlags(['-storage.minFreeDiskSpaceBytes=1000000GB']);
      await destination(row).restart();
    },
    lasts: () => rest(5_000),
    async heal(row) {
      row.stack.dr.vm.setFlags([]);
      await destination(row).restart();
    },
  },
  'destination database: disk full, then started again with room': {
    // Repairs want 0.5 GB of room, and 1 GB once they were stopped.
    stack: { dr: { disk: { sizeMb: 1_200 } } },
    cannot: canMount,
    strike: ({ stack }) => stack.dr.vm.disk?.fill(),
    lasts: () => rest(5_000),
    async heal(row) {
      row.stack.dr.vm.disk?.clear();
      await destination(row).kill(); // it may have ended by itself
      await destination(row).start();
    },
  },
  'source database: clock 90 s ahead': clockAhead('primary'),
  'destination database: clock 90 s ahead': clockAhead('dr'),
  'Redis: SIGKILL, append-only': {
    ...killed(redis, () => rest(3_000)),
    stack: { appendonly: true },
    unpaired: 'all', // what Redis had not written to its disk yet is lost
  },
  'Redis: SIGSTOP for 8 s': silent(redis),
  'Redis: wiped': {
    strike: ({ stack }) => stack.redis.flushAll(),
    unpaired: 'all',
  },
  'Redis: started again empty': {
    ...killed(redis, () => rest(3_000)),
    unpaired: 'all',
  },
  // One that ends between telling of a gap and remembering it does not know that it was told.
  'scheduler: SIGKILL': { ...killedPart('scheduler'), unpaired: 'gaps' },
  'scheduler: SIGSTOP for longer than its locks, another one takes over': {
    ...heldUp('scheduler', 26_000),
    unpaired: 'gaps',
  },
  'worker: SIGKILL': killedPart('worker'),
  'worker: SIGSTOP for longer than its lock, another one takes over': heldUp('worker', 21_000),
  'dashboard: SIGKILL': killedPart('dashboard'),
  'DNS: NXDOMAIN': byDns({
    strike: ({ stack }) => stack.dns.set([]),
    lasts: withoutDirection,
    heal: toPrimary,
  }),
  'DNS: server gone': byDns(killed(dns, withoutDirection)),
  'DNS: server silent': byDns({ ...silent(dns), lasts: withoutDirection }),
  'DNS: flips to the other site and back': byDns({
    strike: ({ stack }) => stack.activate('dr'),
    lasts: ({ stack }) =>
      stack.untilState('the other direction', ({ active_site: site }) => site === 'dr'),
    heal: toPrimary,
    unpaired: 'gaps', // with its direction a gap is over, without a word
  }),
  'DNS: both addresses at once': byDns({
    strike: (row) => row.stack.dns.set(recordOf(row, [addressOf.primary, addressOf.dr])),
    lasts: withoutDirection,
    heal: toPrimary,
  }),
  'state file: deleted': { strike: ({ stack }) => rm(stack.stateFile, { force: true }) },
  'state file: truncated': { strike: ({ stack }) => truncate(stack.stateFile, 500) },
  'state file: cannot be written': {
    strike: async (row) => void (await mkdir(obstacle(row))),
    lasts: () => rest(5_000),
    heal: (row) => rmdir(obstacle(row)),
  },
};
