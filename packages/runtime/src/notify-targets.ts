import type { Severity } from '@vm-sync/core';
import { z } from 'zod';
import type { Env } from './env.ts';

/** Who is sent messages. */
export interface NotifyTarget {
  /** `1` for NOTIFY_WEBHOOK, `2` for NOTIFY_WEBHOOK_2, and so on; what jobs and people call it. */
  readonly name: string;
  /** All of it is a secret. */
  readonly url: string;
  readonly format: NotifyFormat;
  /** Of what is less severe it is not told. */
  readonly minSeverity: Severity;
  /** Signs messages of the format `json`. */
  readonly secret: string | undefined;
}

export type NotifyFormat = 'slack' | 'teams' | 'json';

export const TARGETS_MOST = 5;

const FORMATS = ['auto', 'slack', 'teams', 'json'] as const;
const SEVERITIES = ['info', 'warn', 'error'] as const;

/** The variable of a target: `NOTIFY_WEBHOOK`, `NOTIFY_WEBHOOK_2`. */
export const notifyVariable = (what: string, name: string): string =>
  name === '1' ? `NOTIFY_${what}` : `NOTIFY_${what}_${name}`;

const NAMES = Array.from({ length: TARGETS_MOST }, (_, at) => `${at + 1}`);

/** The secrets of all targets, which may stand in files. */
export const NOTIFY_SECRETS: readonly string[] = NAMES.flatMap((name) => [
  notifyVariable('WEBHOOK', name),
  notifyVariable('SECRET', name),
]);

/** Reads all targets. NOTIFY_MIN_SEVERITY and NOTIFY_SECRET hold for every one that has none of its own. */
export function notifyTargets(
  env: Env,
  addFault: (name: string, sentence: string) => void,
): NotifyTarget[] {
  const oneOf = <const T extends readonly string[]>(
    variable: string,
    words: T,
    otherwise: T[number],
  ): T[number] => {
    const given = env[variable];
    if (given === undefined) return otherwise;
    const found = z.enum(words).safeParse(given);
    if (found.success) return found.data;
    addFault(variable, `expected ${words.join(' or ')}, got ${JSON.stringify(given)}`);
    return otherwise;
  };
  const forAll = oneOf('NOTIFY_MIN_SEVERITY', SEVERITIES, 'info');
  return NAMES.flatMap((name) => {
    const variable = (what: string) => notifyVariable(what, name);
    const url = env[variable('WEBHOOK')];
    const format = oneOf(variable('FORMAT'), FORMATS, 'auto');
    const minSeverity = oneOf(variable('MIN_SEVERITY'), SEVERITIES, forAll);
    const secret = env[variable('SECRET')] ?? env['NOTIFY_SECRET'];
    if (url === undefined) {
      if (name !== '1') refuseOrphans(name, env, addFault);
      return [];
    }
    if (!isHttpUrl(url)) {
      addFault(variable('WEBHOOK'), 'expected a URL such as https://hooks.slack.com/services/…');
      return [];
    }
    return [{ name, url, format: format === 'auto' ? formatOf(url) : format, minSeverity, secret }];
  });
}

/** A setting of a target that is not there was meant for something. */
function refuseOrphans(name: string, env: Env, addFault: (n: string, sentence: string) => void) {
  for (const what of ['FORMAT', 'MIN_SEVERITY', 'SECRET']) {
    const variable = notifyVariable(what, name);
    if (env[variable] === undefined) continue;
    addFault(variable, `there is no ${notifyVariable('WEBHOOK', name)} for it`);
  }
}

const isHttpUrl = (text: string): boolean =>
  URL.canParse(text) && /^https?:$/.test(new URL(text).protocol);

const TEAMS_HOST = /\.(?:logic\.azure\.com|powerplatform\.com|powerautomate\.com|office\.com)$/;

const formatOf = (url: string): NotifyFormat =>
  TEAMS_HOST.test(new URL(url).hostname) ? 'teams' : 'slack';
