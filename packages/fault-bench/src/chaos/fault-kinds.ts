/** What can be broken, each by one fault at a time. `a` is the vm-sync of the primary site, `b` that of the other one. */
export const PARTS = [
  'vm-primary',
  'vm-dr',
  'line-a-primary',
  'line-a-dr',
  'line-b-primary',
  'line-b-dr',
  'collector-primary',
  'collector-dr',
  'redis-a',
  'redis-b',
  'scheduler-a',
  'worker-a1',
  'worker-a2',
  'dashboard-a',
  'up-b',
  'state-a',
  'dns',
  'webhook',
] as const;

export type Part = (typeof PARTS)[number];

interface FaultShape {
  readonly parts: readonly [Part, ...Part[]];
  /** How long it lasts, from and to, in milliseconds. */
  readonly lastsMs: readonly [number, number];
  /** How often it is chosen, against the others. */
  readonly weight: number;
}

const vms = ['vm-primary', 'vm-dr'] as const;
const lines = ['line-a-primary', 'line-a-dr', 'line-b-primary', 'line-b-dr'] as const;
const collectors = ['collector-primary', 'collector-dr'] as const;
const redises = ['redis-a', 'redis-b'] as const;
const processes = ['scheduler-a', 'worker-a1', 'worker-a2', 'dashboard-a', 'up-b'] as const;
const short = [500, 4_000] as const;
const middle = [2_000, 12_000] as const;
const long = [6_000, 25_000] as const;

const fault = (
  weight: number,
  parts: readonly [Part, ...Part[]],
  lastsMs: readonly [number, number],
): FaultShape => ({ parts, lastsMs, weight });

/** Every kind of fault; what each does stands in `inject.ts` under the same name. */
export const FAULTS = {
  // Samples that get lost on their way in: what vm-sync is for.
  'samples-cut': fault(10, collectors, long),
  'samples-lossy': fault(6, collectors, long),
  'samples-late': fault(4, collectors, [4_000, 9_000]),
  // The databases.
  'vm-kill': fault(6, vms, short),
  'vm-stop': fault(3, vms, short),
  'vm-freeze': fault(5, vms, [2_000, 9_000]),
  'vm-read-only': fault(2, vms, middle),
  'vm-wiped': fault(1, vms, short),
  // The lines between vm-sync and the databases.
  'line-slow': fault(3, lines, middle),
  'line-dead': fault(4, lines, middle),
  'line-refuses': fault(4, lines, middle),
  'line-tears': fault(5, lines, middle),
  'line-ends-early': fault(4, lines, middle),
  'line-drops-rows': fault(5, lines, middle),
  'line-loses-answers': fault(5, lines, middle),
  'line-drips': fault(2, lines, middle),
  'line-cuts-uploads': fault(3, lines, middle),
  'clock-ahead': fault(1, lines, middle),
  // vm-sync itself and what it stands on.
  'redis-kill': fault(4, redises, short),
  'redis-freeze': fault(3, redises, middle),
  'redis-wiped': fault(3, redises, [100, 200]),
  'redis-line': fault(4, redises, middle),
  'process-kill': fault(8, processes, short),
  'process-stop': fault(3, processes, short),
  'process-freeze': fault(5, processes, long),
  'state-lost': fault(2, ['state-a'], short),
  'state-corrupt': fault(2, ['state-a'], short),
  // What says which site is active, and who is told.
  'dns-flip': fault(3, ['dns'], [200, 400]),
  'dns-gone': fault(2, ['dns'], middle),
  'dns-silent': fault(2, ['dns'], middle),
  'dns-odd': fault(2, ['dns'], middle),
  'webhook-down': fault(3, ['webhook'], long),
} as const satisfies Record<string, FaultShape>;

export type FaultKind = keyof typeof FAULTS;
