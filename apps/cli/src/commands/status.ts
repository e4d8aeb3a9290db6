import { escapedUnseen, parseDurationMs, pinAt, shownPace } from '@vm-sync/core';
import { loadProgress, readiness } from '@vm-sync/queue';
import { type Config, secretsOf, stateToFile, withoutSecrets } from '@vm-sync/runtime';
import {
  answer,
  columns,
  complain,
  EXIT,
  type ExitCode,
  type Json,
  paint,
  print,
  printJson,
} from '../output.ts';
import { readSite } from '../read-site.ts';
import { type Desk, withRedis } from '../redis.ts';
import { statusLines } from '../status-text.ts';
import { openBoard, watching } from '../watch.ts';

type Options = Json & { readonly watch?: boolean; readonly every: string };

/** What the last check saw; with `--watch` until a person has seen enough. */
export const status = (config: Config, options: Options): Promise<ExitCode> => {
  const everyMs = readEvery(options.every);
  return withRedis(config, async (desk) => {
    if (options.watch)
      return options.json ? tellOn(desk, config, everyMs) : show(desk, config, everyMs);
    const seen = await look(desk, config);
    if (options.json) printJson(seen.document);
    else print(seen.lines.join('\n'));
    return seen.code;
  });
};

function readEvery(text: string): number {
  const everyMs = parseDurationMs(text);
  if (everyMs !== undefined && everyMs >= 100 && everyMs <= 86_400_000) return everyMs;
  throw new Error(`--every: expected a duration such as 2s or 1m, got ${JSON.stringify(text)}`);
}

/** Redraws it on a terminal, and prints what is new anywhere else. Redis may go and come back meanwhile. */
async function show(desk: Desk, config: Config, everyMs: number): Promise<ExitCode> {
  let code: ExitCode = EXIT.unknown;
  const board = openBoard();
  try {
    await watching(everyMs, async () => {
      const seen = await lookSafely(desk, config);
      code = seen.code;
      board.show(seen.lines);
      return 'go on';
    });
  } finally {
    board.end();
  }
  return code;
}

/** One JSON document a line, whenever it has changed. */
async function tellOn(desk: Desk, config: Config, everyMs: number): Promise<ExitCode> {
  let code: ExitCode = EXIT.unknown;
  let before = '';
  await watching(everyMs, async () => {
    const seen = await lookSafely(desk, config);
    code = seen.code;
    const text = escapedUnseen(JSON.stringify(seen.document));
    if (text !== before) print(text);
    before = text;
    return 'go on';
  });
  return code;
}

interface Seen {
  readonly code: ExitCode;
  readonly document: unknown;
  readonly lines: readonly string[];
}

async function lookSafely(desk: Desk, config: Config): Promise<Seen> {
  try {
    return await look(desk, config);
  } catch (error) {
    const why = withoutSecrets(String((error as Error).message), secretsOf(config));
    const text = `Redis cannot be reached (REDIS_URL): ${why}`;
    const head = paint(['magenta', 'bold'], 'UNKNOWN');
    return { code: EXIT.unknown, document: { error: text }, lines: [head, `  ${text}`] };
  }
}

const NO_CHECK =
  'UNKNOWN: no check has been made yet; is the scheduler running? (docker compose up -d, or vm-sync up)';

async function look({ store, paces, dutyStore, repairs }: Desk, config: Config): Promise<Seen> {
  const nowMs = Date.now();
  const seen = await store.loadStatus();
  const verdict = readiness(seen, undefined, nowMs);
  const paused = await repairs.isPaused();
  const duty = await dutyStore.loadView();
  const state = await store.loadState();
  const progress = await loadProgress(store, state, nowMs);
  const pin = pinAt(state?.pin ?? null, nowMs);
  const pace = shownPace(await paces.current(config.paceLimits));
  const { detail: _, ...fields } = seen ? stateToFile(seen.state) : {};
  const document = {
    ...fields,
    active: seen?.active ?? null,
    pin,
    ready: verdict.ready,
    known: verdict.known,
    reasons: verdict.reasons,
    paused,
    pace,
    twins: seen?.twins ?? [],
    duty: duty ?? null,
    ...progress,
  };
  const beside = { pin, paused, pace, duty, progress };
  const isBoth = config.syncDirection === 'both';
  const lines = seen
    ? statusLines(seen, isBoth, verdict, beside, { nowMs, paint, columns: columns() })
    : [NO_CHECK];
  const known = verdict.ready ? EXIT.fine : EXIT.found;
  return { code: verdict.known ? known : EXIT.unknown, document, lines };
}

/** Exit 0 only when parity is proven. */
export async function ready(
  config: Config,
  options: Json & { readonly site?: string },
): Promise<ExitCode> {
  const site = options.site === undefined ? undefined : readSite(options.site);
  return withRedis(config, async ({ store }) => {
    const verdict = readiness(await store.loadStatus(), site, Date.now());
    const document = { site: site ?? null, ...verdict };
    if (verdict.ready) {
      answer(options, document, site ? `${site} is proven complete` : 'FAILBACK READY');
      return EXIT.fine;
    }
    answer(options, document);
    complain(`${verdict.known ? 'NOT READY' : 'UNKNOWN'}: ${verdict.reasons.join('; ')}`);
    return verdict.known ? EXIT.found : EXIT.unknown;
  });
}
