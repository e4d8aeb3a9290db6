import type {
  ActiveSite,
  CheckReport,
  Chunk,
  Direction,
  Gap,
  SyncEvent,
  SyncState,
  Window,
} from '../../src/index.ts';
import type { Sample, World } from './world.ts';

/** What goes wrong in a check. */
export type Trouble =
  | 'nothing'
  | 'source silent'
  | 'destination silent'
  /** One of the check's queries fails; the number says which. */
  | `query ${number} fails`
  /** Its time is up long before everything was looked at. */
  | 'no time';

export interface ModelSettings {
  readonly threshold: number;
  readonly both: boolean;
}

export interface ModelPlan {
  readonly direction: Direction;
  readonly backfillId: string | null;
  readonly recovery: boolean;
  readonly chunks: readonly Chunk[];
}

/** What earlier runs have left behind, as a check is told of it. */
export interface ModelSetAside {
  readonly backfilling: ReadonlySet<string>;
  readonly repairing: readonly Window[];
  readonly inHand: readonly Window[];
  readonly reasons: readonly string[];
  readonly covers: (gap: Gap) => boolean;
}

export interface CheckQuestion {
  readonly world: World;
  readonly state: SyncState;
  readonly active: ActiveSite;
  readonly settings: ModelSettings;
  readonly trouble: Trouble;
  readonly setAside: (direction: Direction) => ModelSetAside;
  readonly setAsideRecoveries: (direction: Direction, isWanted: boolean) => ModelSetAside;
}

export interface CheckAnswer {
  readonly state: SyncState;
  readonly events: readonly SyncEvent[];
  readonly report: CheckReport;
  readonly plans: readonly ModelPlan[];
}

/** What an import on its way meets. */
export type CopyTrouble = 'nothing' | 'drops every second sample' | 'connection cut';

export interface CopyQuestion {
  readonly world: World;
  readonly direction: Direction;
  readonly chunk: Chunk;
  readonly trouble: CopyTrouble;
  /** Takes what is sent. */
  readonly send: (samples: readonly Sample[]) => void;
}

/**
 * How vm-sync looks at the world, and copies: in the tests of the core by the core's own comparison, in those of the
 * steps by the steps themselves.
 */
export interface Eyes {
  check(question: CheckQuestion): Promise<CheckAnswer>;
  /** How many samples it says that it copied; throws where it failed. */
  repair(question: CopyQuestion): Promise<number>;
}
