import type { Direction, Site } from './site.ts';
import { formatCount } from './wording.ts';

/** What a person needs to mend a chunk that failed for good. Nothing in it is a secret. */
export interface RepairKit {
  readonly failedMs: number;
  readonly direction: Direction;
  /** What happened, in plain words. */
  readonly cause: string;
  readonly advice: string;
  /** The flags of a VictoriaMetrics that stand in the way; empty where none is the cause. */
  readonly flags: readonly KitFlag[];
  /** What both sides held when it failed. */
  readonly counts: Readonly<Record<keyof Direction, KitCount>>;
  readonly commands: readonly KitCommand[];
  /** What is to be known before the commands are used. */
  readonly notes: readonly string[];
}

export interface KitFlag {
  readonly site: Site;
  /** As it is given to the database: `-search.maxUniqueTimeseries`. */
  readonly name: string;
}

/** A side's samples in the chunk, or why they could not be counted. */
export type KitCount =
  | { readonly samples: number; readonly why: null }
  | { readonly samples: null; readonly why: string };

/** A line for a shell. */
export interface KitCommand {
  readonly what: string;
  readonly line: string;
}

/** Why a chunk failed: its sentence, and the site whose answer it was, where one answered. */
export interface ChunkFailure {
  readonly text: string;
  readonly site: Site | undefined;
}

/** How each site's variables begin, seen from the worker: `LOCAL_VM_…`, `REMOTE_VM_…`. */
export type KitPlaces = Readonly<Record<Site, 'LOCAL' | 'REMOTE'>>;

/** Judges a failure, and joins all that a person needs. */
export function makeRepairKit(
  failure: ChunkFailure,
  facts: Pick<RepairKit, 'failedMs' | 'direction' | 'counts' | 'commands' | 'notes'> & {
    readonly places: KitPlaces;
  },
): RepairKit {
  const { places, ...rest } = facts;
  return { ...rest, ...judgeFailure(failure, places) };
}

/** The part of a kit that is read first, as lines. */
export function formatFinding({ cause, advice, direction, flags, counts }: RepairKit): string[] {
  const { source, destination } = direction;
  return [
    `why: ${cause}`,
    `what to do: ${advice}`,
    ...flags.map(({ site, name }) => `flag on ${site}: ${name}`),
    `counted when it failed: ${source} (source) ${countText(counts.source)}; ${destination} (destination) ${countText(counts.destination)}`,
  ];
}

/** The whole kit as lines of a job's log. Commands stand alone on theirs, to be copied. */
export const formatKit = (kit: RepairKit): string[] => [
  ...formatFinding(kit),
  ...kit.notes.map((note) => `note: ${note}`),
  ...kit.commands.flatMap(({ what, line }) => [`${what}:`, line]),
];

const countText = ({ samples, why }: KitCount): string =>
  samples === null ? `could not be counted (${why})` : `${formatCount(samples)} samples`;

type Judged = Pick<RepairKit, 'cause' | 'advice' | 'flags'>;

/** The site that a sentence is about, and the beginning of its variables' names. */
interface Who {
  readonly site: string;
  readonly place: string;
}

interface Rule {
  /** In the words of our own sentences, and of VictoriaMetrics 1.79 to 1.145 inside of them. */
  readonly told: RegExp;
  readonly cause: (who: Who, found: RegExpExecArray) => string;
  readonly advice: (who: Who) => string;
  readonly flag?: string;
}

const RETRY = 'then retry this job';

/** Of several that fit the first counts: what is busy names limits as well, as ways of giving requests more patience. */
const RULES: readonly Rule[] = [
  {
    told: /order .+ no longer holds/,
    cause: () =>
      'the direction or the run has changed since this chunk was planned; nothing was written',
    advice: () => 'nothing is to be done: the next check plans anew what is missing',
  },
  {
    told: /accepted the import, but (\d+) samples are not there/,
    cause: ({ site }, [, lost]) => `${site} took the samples and dropped ${lost} of them`,
    advice: ({ site }) =>
      `mend on ${site} what its counters name (its log says more), ${RETRY}; tried again by itself after a day, and when ${site} restarts`,
  },
  {
    told: /login refused/,
    cause: ({ site }) => `${site} does not accept the worker's login`,
    advice: ({ place }) =>
      `mend ${place}_VM_USERNAME and ${place}_VM_PASSWORD (or ${place}_VM_BEARER_TOKEN) of the worker and restart it, ${RETRY}`,
  },
  {
    told: /certificate|speaks no TLS/,
    cause: ({ site }) => `no encrypted connection to ${site} comes about`,
    advice: ({ place }) =>
      `mend ${place}_VM_CA_FILE, ${place}_VM_CERT_FILE, ${place}_VM_KEY_FILE or the URL of the worker and restart it, ${RETRY}`,
  },
  {
    told: /path is not served there/,
    cause: ({ site }) => `the URL of ${site} does not lead to what VictoriaMetrics serves`,
    advice: ({ place }) =>
      `mend ${place}_VM_URL, or the routes of the proxy before it, and restart the worker, ${RETRY}`,
  },
  {
    told: /read-only mode/,
    cause: ({ site }) => `the disk of ${site} is full, so it takes nothing`,
    advice: ({ site }) => `free disk space on ${site}; it is tried again by itself`,
    flag: '-storage.minFreeDiskSpaceBytes',
  },
  {
    told: /concurrent (?:search )?requests|start executing the request in/,
    cause: ({ site }) => `${site} had no free slot for the request`,
    advice: ({ site }) => `calm what else asks ${site}, or raise the flag there, ${RETRY}`,
    flag: '-search.maxConcurrentRequests',
  },
  {
    told: /concurrent (?:insert|imports)|maxConcurrentInserts/,
    cause: ({ site }) => `${site} had no free slot for writing`,
    advice: ({ site }) => `calm what else writes to ${site}, or raise the flag there, ${RETRY}`,
    flag: '-maxConcurrentInserts',
  },
  {
    told: /timeout exceeded during query execution: 30\.?0* seconds/,
    cause: ({ site }) => `${site} needs longer for a query than the 30 s that vm-sync gives it`,
    advice: ({ site }) => `see what keeps ${site} busy, ${RETRY}`,
  },
  ...limits([
    [
      /too long line|import\.maxLineLen/,
      'a line of the import is longer than it reads',
      '-import.maxLineLen',
    ],
    [
      /maxExportSeries|VM export error.*matching timeseries exceeds/,
      'the chunk has more series than it exports at once',
      '-search.maxExportSeries',
    ],
    [
      /maxUniqueTimeseries|matching timeseries exceeds/,
      'the chunk has more series than it lets a query read',
      '-search.maxUniqueTimeseries',
    ],
    [
      /maxSamplesPerSeries/,
      'a series has more samples than it lets a query read',
      '-search.maxSamplesPerSeries',
    ],
    [
      /maxSamplesPerQuery|cannot select more than/,
      'the chunk has more samples than it lets a query read',
      '-search.maxSamplesPerQuery',
    ],
    [
      /maxPointsPer|too many points/,
      'a query has more points than it allows',
      '-search.maxPointsPerTimeseries',
    ],
    [
      /maxQueryLen|too long query/,
      'the text of a query is longer than it reads',
      '-search.maxQueryLen',
    ],
    [
      /maxMemoryPerQuery|not enough memory/,
      'a query needs more memory than it grants',
      '-search.maxMemoryPerQuery',
    ],
    [/maxResponseSeries/, 'an answer has more series than it sends', '-search.maxResponseSeries'],
    [/maxExportDuration/, 'an export takes longer than it allows', '-search.maxExportDuration'],
    [
      /maxQueryDuration|timeout exceeded|deadline/,
      'a query takes longer than it allows',
      '-search.maxQueryDuration',
    ],
  ]),
  {
    told: /denyQueriesOutsideRetention|outside of? (?:the )?(?:configured )?retention/,
    cause: ({ site }) => `${site} answers nothing about time beyond its retention`,
    advice: ({ site }) =>
      `raise -retentionPeriod on ${site}, or leave it: such time is beyond repair there`,
    flag: '-denyQueriesOutsideRetention',
  },
  {
    told: /answered 413/,
    cause: ({ site }) => `a proxy before ${site} refuses bodies of this size`,
    advice: () => `raise its limit (nginx: client_max_body_size), ${RETRY}`,
  },
  {
    told: /exported fewer samples|was cut off|native blocks that/,
    cause: ({ site }) => `an export of ${site} ended before everything had come`,
    advice: ({ site }) =>
      `see the log of ${site} and of the proxy before it (time limits?), ${RETRY}`,
  },
  {
    told: /did not answer in time|fell silent/,
    cause: ({ site }) => `${site} was too slow`,
    advice: ({ site }) => `see what keeps ${site} busy, and whether a proxy cuts it off, ${RETRY}`,
  },
  {
    told: /refuses connections|does not resolve|cannot be (?:resolved|reached)|does not answer|broke the connection off/,
    cause: ({ site }) => `${site} could not be reached`,
    advice: ({ site, place }) =>
      `is VictoriaMetrics running at ${site}, and does ${place}_VM_URL lead there? See vm-sync doctor, ${RETRY}`,
  },
  {
    told: /answered (?:429|503)|it is busy/,
    cause: ({ site }) => `${site} was too busy`,
    advice: ({ site }) => `see what keeps ${site} busy, ${RETRY}`,
  },
  {
    told: /answered 5\d\d/,
    cause: ({ site }) => `${site} failed at the request`,
    advice: ({ site }) => `see the log of ${site}, and of the proxy before it, ${RETRY}`,
  },
];

function limits(rows: readonly (readonly [RegExp, string, string])[]): Rule[] {
  return rows.map(([told, cause, flag]) => ({
    told,
    cause: ({ site }) => `${site} sets a limit: ${cause}`,
    advice: ({ site }) => `raise ${flag} on ${site} and restart it, ${RETRY}`,
    flag,
  }));
}

/** Flags by which a destination drops what it accepted; our own sentence names those whose counters grew. */
const DROPPING =
  /-(?:retentionPeriod|maxBackfillAge|maxLabelValueLen|maxLabelNameLen|maxLabelsPerTimeseries|storage\.max(?:Hourly|Daily)Series)\b/g;

function judgeFailure(failure: ChunkFailure, places: KitPlaces): Judged {
  const text = ownWords(failure.text);
  const site = failure.site ?? siteIn(text);
  const who: Who = { site: site ?? 'a site', place: site ? places[site] : '…' };
  for (const { told, cause, advice, flag } of RULES) {
    const found = told.exec(text);
    if (!found) continue;
    const named = flag === undefined ? droppingFlags(text) : [flag];
    return {
      cause: cause(who, found),
      advice: advice(who),
      flags: site ? named.map((name) => ({ site, name })) : [],
    };
  }
  return {
    cause: 'vm-sync does not know this failure; its sentence is all there is',
    advice: `see the log of the worker and of both databases, ${RETRY}`,
    flags: [],
  };
}

const droppingFlags = (text: string): string[] =>
  /accepted the import/.test(text) ? [...new Set(text.match(DROPPING))] : [];

/** Our sentences put the address behind a site's name. */
function siteIn(text: string): Site | undefined {
  const [, site] = /\b(primary|dr) \(https?:/.exec(text) ?? [];
  return site === 'primary' || site === 'dr' ? site : undefined;
}

/** Without selectors and quotations: metrics may be named `deadline_total`. */
const ownWords = (text: string): string =>
  text.replaceAll(/"(?:[^"\\]|\\[\s\S])*"/g, '""').replaceAll(/\{[^{}]*\}/g, '{}');
