import {
  ABOUT_MOST,
  type ActiveSite,
  type Attempt,
  type Backfill,
  type Believed,
  type BeyondRepair,
  type Chunk,
  type ChunkRates,
  type Conflicts,
  type DirectionMemory,
  type DutyView,
  type FinishedChunk,
  type Identity,
  LIMIT_FLAGS,
  NO_CONFLICTS,
  NO_DIRECTION,
  NO_IDENTITY,
  NO_SURPLUS,
  NOTHING_BELIEVED,
  type Notice,
  type Pin,
  REWRITING_FLAGS,
  type Reconcile,
  type RepairKit,
  type Surplus,
  type SyncState,
  type TwinFinding,
  type Window,
} from '@vm-sync/core';
import { z } from 'zod';
import { CertificateRecordSchema } from './certificate-schema.ts';

/** Whole milliseconds since the epoch, within what a date can hold. */
const ms = z.number().int().min(0).max(8.64e15);
const site = z.enum(['primary', 'dr']);
const directionKey = z.enum(['primary-to-dr', 'dr-to-primary']);

const window: z.ZodType<Window> = z
  .object({ fromMs: ms, toMs: ms })
  .refine(({ fromMs, toMs }) => fromMs < toMs, 'a window must end after it begins');

const mark = z.object({
  sinceMs: ms,
  throughMs: ms,
  unproven: z.array(window),
  earlier: z.array(window).default([]),
});
const history = z.object({
  begunMs: ms,
  surveyedFromMs: ms,
  passDone: z.boolean(),
  complete: z.boolean(),
  differing: z.array(window),
});
const perDirection = <T extends z.ZodType>(schema: T) =>
  z.object({ 'primary-to-dr': schema.nullable(), 'dr-to-primary': schema.nullable() });

const backfill: z.ZodType<Backfill> = z.object({
  id: z.string().min(1),
  direction: directionKey,
  window,
  match: z.array(z.string().min(1)),
  requestedMs: ms,
  who: z.string().optional(),
  state: z.enum(['open', 'paused', 'cancelled', 'done']),
  unproven: z.array(window),
  samplesRepaired: z.number().min(0),
  bytesCopied: z.number().min(0),
  endedMs: ms.nullable(),
});

const beyondRepair: z.ZodType<BeyondRepair> = z.object({
  direction: directionKey,
  window,
  reason: z.enum(['destination-retention', 'source-retention', 'destination-backfill-age']),
  sinceMs: ms,
  samplesMissing: z.number().min(0).nullable(),
});

const attempt: z.ZodType<Attempt> = z.object({
  direction: directionKey,
  window,
  selectors: z.string(),
  samples: z.number().min(0),
  times: z.number().int().min(1),
  firstMs: ms,
  lastMs: ms,
  outcome: z.enum(['done', 'short']),
  stuck: z.boolean(),
  acknowledged: z.object({ who: z.string(), atMs: ms }).optional(),
});

const epoch = z.number().int().min(0);

const directionMemory: z.ZodType<DirectionMemory> = z.object({
  site: site.nullable(),
  epoch,
  sinceMs: ms.nullable(),
  firstEqualMs: ms.nullable(),
  lastEqualMs: ms.nullable(),
  ttlMs: z.number().min(0),
  confirmed: z.boolean(),
  whyNoWriting: z.string().nullable(),
});

const pin: z.ZodType<Pin> = z.object({ site, untilMs: ms, atMs: ms });

const activeSite: z.ZodType<ActiveSite> = z.object({
  site: z.enum(['primary', 'dr', 'unknown']),
  reason: z.string(),
  witnesses: z.array(
    z.object({
      name: z.enum(['pin', 'setting', 'address', 'lease', 'freshness']),
      says: z.enum(['primary', 'dr', 'unknown']).nullable(),
      text: z.string(),
    }),
  ),
  mayWrite: z.boolean(),
  whyNoWriting: z.string().nullable(),
  epoch,
});

const surplus: z.ZodType<Surplus> = z.object({
  counted: z.array(
    z.object({
      windows: z.array(window),
      series: z.number().int().min(0),
      samples: z.number().min(0),
      countedMs: ms,
    }),
  ),
  told: z.boolean(),
});

const reconcile: z.ZodType<Reconcile> = z.object({
  id: z.string().min(1),
  direction: directionKey,
  requestedMs: ms,
  who: z.string().optional(),
  state: z.enum(['open', 'cancelled', 'done']),
  windows: z.array(window),
  samplesRecovered: z.number().min(0),
  endedMs: ms.nullable(),
});

const conflicts: z.ZodType<Conflicts> = z.object({
  buckets: z.array(
    z.object({
      window,
      series: z.number().int().min(0),
      samples: z.number().int().min(0),
      unread: z.number().int().min(0),
    }),
  ),
  example: z
    .object({
      series: z.string(),
      atMs: ms,
      values: z.object({ primary: z.string(), dr: z.string() }),
    })
    .nullable(),
  told: z.boolean(),
});

const perSite = <T extends z.ZodType>(schema: T) =>
  z.object({ primary: schema.nullable(), dr: schema.nullable() });

const identity: z.ZodType<Identity> = z.object({
  pair: z.string().min(1).nullable(),
  markedMs: ms.nullable(),
  seen: perSite(z.object({ firstMs: ms, lastMs: ms })),
  series: perSite(z.number().int().min(0)),
  accepted: z.array(site),
  refusal: z.string().nullable(),
});

const severity = z.enum(['info', 'warn', 'error']);

/** Deep enough for all that is told; what is deeper could be read, and not be written again. */
const DEPTH_MOST = 16;

const details = z
  .record(z.string(), z.unknown())
  .refine((value) => depthOf(value) <= DEPTH_MOST, 'details must not be nested deeply');

/** How deep a value is nested, looked at no deeper than matters: a call for each level would be too many. */
function depthOf(value: unknown): number {
  let level: unknown[] = [value];
  let depth = 0;
  while (level.length > 0 && depth <= DEPTH_MOST) {
    level = level.flatMap((one) => (typeof one === 'object' && one ? Object.values(one) : []));
    depth += 1;
  }
  return depth;
}

const notice: z.ZodType<Notice> = z.object({
  kind: z.string(),
  severity,
  text: z.string().min(1),
  todo: z.string(),
  atMs: ms,
  details,
});

const held = z.object({ notice, sinceMs: ms });

const believed: z.ZodType<Believed> = z.object({
  ready: directionKey.nullable(),
  withdrawal: held.extend({ byUnknown: z.boolean() }).nullable(),
  site: z.enum(['primary', 'dr', 'unknown']).nullable(),
  turn: held.extend({ site: z.enum(['primary', 'dr', 'unknown']) }).nullable(),
  failing: z.object({ what: z.string(), sinceMs: ms }).nullable(),
  failure: held.extend({ what: z.string(), fineSinceMs: ms.nullable() }).nullable(),
  fineSinceMs: ms.nullable(),
});

/** The remembered state, as it stands in Redis and in the state file. What older versions did not know has a default. */
export const SyncStateSchema: z.ZodType<SyncState> = z.object({
  lastCheckMs: ms.nullable(),
  lastSyncMs: ms.nullable(),
  consecutiveClean: z.number().int().min(0),
  failbackReady: z.boolean(),
  activeSite: z.enum(['primary', 'dr', 'unknown']),
  direction: directionMemory.default(NO_DIRECTION),
  pin: pin.nullable().default(null),
  gapsDetected: z.number().int().min(0),
  samplesSynced: z.number().int().min(0),
  lastError: z.string().nullable(),
  marks: perDirection(mark),
  history: perDirection(history),
  recentRepairs: z.array(z.object({ direction: directionKey, window, settledMs: ms })),
  countedRuns: z.array(z.string()).default([]),
  backfills: z.array(backfill).default([]),
  beyondRepair: z.array(beyondRepair).default([]),
  stuck: z.object({ attempted: z.array(attempt) }).default({ attempted: [] }),
  twinsTold: z
    .array(z.object({ key: z.string(), severity: z.enum(['fault', 'advice']), seenMs: ms }))
    .default([]),
  surplus: z
    .object({ 'primary-to-dr': surplus, 'dr-to-primary': surplus })
    .default({ 'primary-to-dr': NO_SURPLUS, 'dr-to-primary': NO_SURPLUS }),
  reconcile: reconcile.nullable().default(null),
  conflicts: conflicts.default(NO_CONFLICTS),
  identity: identity.default(NO_IDENTITY),
  startedMs: z.object({ primary: ms.nullable(), dr: ms.nullable() }),
  doubtMs: ms.nullable(),
  episode: z
    .object({ sinceMs: ms, direction: directionKey, samplesRepaired: z.number().min(0) })
    .nullable(),
  reasons: z.array(z.string()),
  believed: believed.default(NOTHING_BELIEVED),
});

const direction = z
  .object({ source: site, destination: site })
  .refine(({ source, destination }) => source !== destination, 'source and destination differ');

/** Whose wish an order is; absent in orders that nobody gave, and in those of older versions. */
const who = z.string().optional();

/** What a `check-gaps` job carries. */
export const CheckOrder = z.object({
  cause: z.enum(['schedule', 'start', 'confirm', 'direction', 'operator', 'duty']),
  who,
});
export type CheckOrder = z.infer<typeof CheckOrder>;

/** What a `backfill` job carries: an operator's wish that was found to be sound. */
export const BackfillOrder = z.discriminatedUnion('action', [
  z.object({
    action: z.literal('start'),
    id: z.string().min(1),
    window,
    match: z.array(z.string().min(1)),
    who,
  }),
  z.object({ action: z.enum(['pause', 'resume', 'cancel']), id: z.string().min(1), who }),
]);
export type BackfillOrder = z.infer<typeof BackfillOrder>;

/** What a `reconcile` job carries: to recover once what only the passive site has, or to stop that. */
export const ReconcileOrder = z.discriminatedUnion('action', [
  z.object({ action: z.literal('start'), id: z.string().min(1), who }),
  z.object({ action: z.literal('cancel'), who }),
]);
export type ReconcileOrder = z.infer<typeof ReconcileOrder>;

/** What an `accept` job carries: a person says that the VM at this site is the right one. */
export const AcceptOrder = z.object({ site });
export type AcceptOrder = z.infer<typeof AcceptOrder>;

/** What a `cancel-run` job carries. */
export const CancelRunOrder = z.object({ runId: z.string().min(1), who: z.string() });
export type CancelRunOrder = z.infer<typeof CancelRunOrder>;

/** What an `acknowledge` job carries: a person's word that these stuck gaps are known. */
export const AcknowledgeOrder = z.object({
  /** Their names, by `stuckId`. */
  gaps: z.array(z.string().min(1)).min(1),
  who: z.string(),
});
export type AcknowledgeOrder = z.infer<typeof AcknowledgeOrder>;

/** Who repairs, as the scheduler last saw it. */
export const DutyViewSchema: z.ZodType<DutyView> = z.object({
  atMs: ms,
  role: site,
  stance: z.enum(['watch', 'duty', 'leave']),
  unable: z.string().nullable(),
  other: z.object({ seenMs: ms, onDuty: z.boolean(), fresh: z.boolean() }).nullable(),
});

const flag = z.union([z.boolean(), z.enum(['true', 'on', '1']).transform(() => true)]);

const dryRun = z.union([flag, z.enum(['false', '0', '']).transform(() => false)]).default(false);

/** A reconcile as a script or a form asks for it; unknown fields are refused, as those of a backfill. */
export const ReconcileRequest = z.strictObject({ dryRun });

/**
 * A backfill as a script or a form asks for it. Unknown fields are refused: a misspelt `dryRun` must not begin to copy.
 */
export const BackfillRequest = z.strictObject({
  from: z.string(),
  to: z.string(),
  match: z
    .union([z.string().transform((text) => [text]), z.array(z.string())])
    .optional()
    .transform((texts) => texts ?? []),
  dryRun,
});
export type BackfillRequest = z.infer<typeof BackfillRequest>;

/** What a `pin` job carries: an operator's word about the direction. */
export const PinOrder = z.discriminatedUnion('action', [
  z.object({ action: z.literal('pin'), pin }),
  z.object({ action: z.literal('unpin') }),
]);
export type PinOrder = z.infer<typeof PinOrder>;

/** A pin as a script or a form asks for it. */
export const PinRequest = z.strictObject({ site: z.string(), for: z.string() });
export type PinRequest = z.infer<typeof PinRequest>;

/** What a `settle-run` job carries. */
export const SettleOrder = z.object({ runId: z.string().min(1) });
export type SettleOrder = z.infer<typeof SettleOrder>;

const chunk: z.ZodType<Chunk> = z.object({
  selectors: z.array(z.string().min(1)).min(1),
  window,
  series: z.number().int().min(0),
  samples: z.number().min(0),
  counted: z.literal(true).optional(),
  // For people only: a name that cannot be shown must not keep a chunk from being repaired.
  about: z
    .string()
    .max(2 * ABOUT_MOST)
    .optional()
    .catch(undefined),
});

/** What a `repair-chunk` job carries: its order, to be checked again when it executes. */
export const ChunkOrder = z.object({
  runId: z.string().min(1),
  direction,
  /** Of the direction when the order was given; 0 in orders of older versions, which hold no more. */
  epoch: epoch.default(0),
  /** True when the direction is from the passive site to the active one. */
  recovery: z.boolean().default(false),
  chunk,
  /** The grid of the comparison, and the sites' deduplication interval (0: none). */
  stepMs: z.number().int().min(1000),
  dedupMs: z.number().int().min(0),
});
export type ChunkOrder = z.infer<typeof ChunkOrder>;

/** What a `notify` job carries: one message for one target. Orders of older versions are for the first one. */
export const NotifyOrder = z.object({
  kind: z.string(),
  severity,
  text: z.string().min(1),
  atMs: ms,
  /** The number of a target; its address is a secret, and stands in the environment only. */
  target: z.string().min(1).default('1'),
  /** The same for every try and every target. */
  id: z.string().min(1).optional(),
  todo: z.string().default(''),
  details: details.default({}),
});
export type NotifyOrder = z.infer<typeof NotifyOrder>;

/** What became of a finished chunk; the return value of its job. */
export const ChunkResult = z.object({
  /** `cancelled`: its backfill was, and nothing was copied (any more). */
  outcome: z.enum(['repaired', 'already-there', 'cancelled']),
  /** `native`, `lines` or `difference`: how it was copied. */
  mode: z.enum(['native', 'lines', 'difference', 'none']),
  samples: z.number().min(0),
  bytes: z.number().min(0),
  tookMs: z.number().min(0),
});
export type ChunkResult = z.infer<typeof ChunkResult>;

/** What made a run: the check that planned it, why that was made, and whose wish it was, where a person asked. */
const runCause = z.object({
  checkId: z.string(),
  reason: CheckOrder.shape.cause,
  who: z.string().nullable(),
});
export type RunCause = z.infer<typeof runCause>;

/** A run: one plan's chunks and its settling. */
export const RunRecord = z.object({
  id: z.string().min(1),
  direction,
  epoch: epoch.default(0),
  createdMs: ms,
  /** The backfill that it belongs to; null for a regular repair. */
  backfillId: z.string().min(1).nullable().default(null),
  /** True when it copies what only the passive site has to the active one. */
  recovery: z.boolean().default(false),
  /** Null where an older version did not note it. */
  cause: runCause.nullable().default(null),
  /**
   * `open` while chunks are left, also failed ones; `paused` with its backfill; `cancelled` with its backfill or by a
   * person; `superseded` when the direction turned.
   */
  state: z.enum(['open', 'paused', 'cancelled', 'settled', 'superseded']),
  chunks: z.number().int().min(1),
  series: z.number().int().min(0),
  /** Samples that the destination lacked when the run was planned. */
  samplesPlanned: z.number().min(0),
  windows: z.array(window),
  settledMs: ms.nullable(),
  samplesCopied: z.number().min(0),
  bytesCopied: z.number().min(0),
});
export type RunRecord = z.infer<typeof RunRecord>;

/** How fast chunks have been of late. */
export const ChunkRatesSchema: z.ZodType<ChunkRates> = z.object({
  copyPerS: z.number().positive().nullable(),
  differencePerS: z.number().positive().nullable(),
});

/** A chunk that is done, as progress counts it. */
export const FinishedChunkSchema: z.ZodType<FinishedChunk> = z.object({
  atMs: ms,
  planned: z.number().min(0),
  samples: z.number().min(0),
  bytes: z.number().min(0),
});

/** One line of the event log. */
export const EventRecord = z.object({
  atMs: ms,
  kind: z.string(),
  severity,
  text: z.string(),
  /** What a person must do; absent in what older versions wrote. */
  todo: z.string().optional(),
});
export type EventRecord = z.infer<typeof EventRecord>;

/** What a person (or a program in their name) did, and what came of it. */
export const AuditLine = z.object({
  atMs: ms,
  who: z.string(),
  by: z.enum(['page', 'api', 'board', 'command']),
  /** In the words of the interface: `pause`, `retry`, `backfill`. */
  action: z.string(),
  /** What it was done to, for people; empty where the action says it. */
  what: z.string(),
  /** `done`, or why it was refused. */
  result: z.string(),
});
export type AuditLine = z.infer<typeof AuditLine>;

const kitCount = z.union([
  z.object({ samples: z.number(), why: z.null() }),
  z.object({ samples: z.null(), why: z.string() }),
]);

/** What a person needs to mend a chunk that failed for good. */
export const RepairKitSchema: z.ZodType<RepairKit> = z.object({
  failedMs: ms,
  direction,
  cause: z.string(),
  advice: z.string(),
  flags: z.array(z.object({ site, name: z.string() })),
  counts: z.object({ source: kitCount, destination: kitCount }),
  commands: z.array(z.object({ what: z.string(), line: z.string() })),
  notes: z.array(z.string()),
});

const siteView = z.discriminatedUnion('healthy', [
  z.object({
    healthy: z.literal(true),
    observation: z.object({
      site,
      url: z.string(),
      startedMs: ms.optional(),
      dedupMs: z.number().optional(),
      retentionMs: z.number().optional(),
      maxBackfillAgeMs: z.number().optional(),
      readOnly: z.boolean().optional(),
      clock: z.object({ offsetMs: z.number(), uncertaintyMs: z.number() }).optional(),
      version: z.string().optional(),
      limits: z.partialRecord(z.enum(LIMIT_FLAGS), z.number()).optional(),
      rewrites: z.array(z.enum(REWRITING_FLAGS)).readonly().optional(),
    }),
  }),
  z.object({ healthy: z.literal(false), url: z.string(), reason: z.string() }),
]);

const twinFinding: z.ZodType<TwinFinding> = z.object({
  severity: z.enum(['fault', 'advice']),
  key: z.string(),
  subject: z.enum(['both sites', 'primary', 'dr', 'the clocks']),
  text: z.string(),
  keepsReadyAway: z.boolean(),
});

/** What people are shown: the state, and what the last check saw. Written by the scheduler after every check. */
export const Status = z.object({
  atMs: ms,
  role: site,
  checkIntervalMs: z.number(),
  cleanChecksWanted: z.number(),
  /** After this instant the last check is too old to say READY. */
  validUntilMs: ms,
  activeReason: z.string(),
  /** Absent in what older versions wrote. */
  active: activeSite.optional(),
  outcome: z.enum(['clean', 'gaps', 'unknown']),
  tookMs: z.number(),
  horizonMs: ms.nullable(),
  sites: z.object({ primary: siteView.optional(), dr: siteView.optional() }),
  /** What stands in the way of the sites being equal; absent where one of them did not answer. */
  twins: z.array(twinFinding).readonly().optional(),
  tallied: z
    .object({
      series: z.number(),
      sourceSamples: z.number(),
      destinationSamples: z.number(),
      gaps: z.number(),
      missing: z.number(),
      tolerated: z.number(),
      extra: z.number(),
    })
    .nullable(),
  state: SyncStateSchema,
  /** Newest first; READY rests on the first one, when that has not ended. Absent in what older versions wrote. */
  certificates: z.array(CertificateRecordSchema).optional(),
});
export type Status = z.infer<typeof Status>;
