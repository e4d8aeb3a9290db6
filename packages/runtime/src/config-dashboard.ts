import { isIP } from 'node:net';
import { z } from 'zod';
import { type Faults, readOrFault } from './config-faults.ts';
import type { Env } from './env.ts';
import { parsePasswordHash } from './password-hash.ts';

/** One who may log in. The password stands in the settings as it is, or as its scrypt hash. */
export type Login = { readonly user: string } & (
  | { readonly password: string }
  | { readonly passwordHash: string }
);

export const PROBES = ['health', 'parity', 'metrics'] as const;

/** `health` is /healthz and /readyz. */
export type Probe = (typeof PROBES)[number];

export const OPEN_PROBES: readonly Probe[] = ['health', 'parity'];

/** Who may do what over HTTP. What is absent is not configured. */
export interface DashboardConfig {
  readonly host: string;
  readonly port: number;
  /** The operator; without one nobody logs in, and the dashboard answers to this machine only. */
  readonly login: Login | undefined;
  readonly viewer?: Login | undefined;
  /** Bearer tokens of programs. */
  readonly token?: string | undefined;
  readonly viewerToken?: string | undefined;
  /** What needs no login; `OPEN_PROBES` when absent. */
  readonly open?: readonly Probe[] | undefined;
  /** PEM texts. */
  readonly tls?: { readonly cert: string; readonly key: string } | undefined;
  /** Whose `X-Forwarded-For` is believed: addresses, networks, or Express' words for networks. */
  readonly trustedProxies?: readonly string[] | undefined;
}

const passwordHash = z.string().transform((text, context) => {
  try {
    parsePasswordHash(text);
    return text;
  } catch (error) {
    context.addIssue((error as Error).message);
    return z.NEVER;
  }
});

/** Wrong tokens are not slowed down, so none may be guessable. */
const TOKEN_LEAST = 16;
const token = z
  .string()
  .regex(
    /^[A-Za-z0-9\-._~+/=]{16,}$/,
    `expected at least ${TOKEN_LEAST} letters, digits or -._~+/=, such as openssl rand -hex 24 prints`,
  );

const words = (text: string): string[] => text.split(/[\s,]+/).filter((word) => word !== '');

const open = z.string().transform((text, context): readonly Probe[] => {
  if (text.trim() === 'none') return [];
  const unknown = words(text).filter((word) => !PROBES.includes(word as Probe));
  if (unknown.length === 0) return PROBES.filter((probe) => words(text).includes(probe));
  context.addIssue(
    `expected ${PROBES.join(', ')}, several of them, or none, got ${JSON.stringify(text)}`,
  );
  return z.NEVER;
});

const proxies = z.string().transform((text, context): readonly string[] => {
  const wrong = words(text).filter((word) => !isNetwork(word));
  if (wrong.length === 0) return words(text);
  context.addIssue(
    `expected addresses or networks such as 172.16.0.0/12, or loopback, linklocal, uniquelocal, got ${JSON.stringify(text)}`,
  );
  return z.NEVER;
});

function isNetwork(word: string): boolean {
  if (/^(?:loopback|linklocal|uniquelocal)$/.test(word)) return true;
  const [, address = '', bits] = /^([^/]+)(?:\/(\d{1,3}))?$/.exec(word) ?? [];
  const most = { 0: -1, 4: 32, 6: 128 }[isIP(address)] ?? -1;
  return most > 0 && Number(bits ?? most) <= most;
}

/** The dashboard's variables, beside host and port. */
export const DASHBOARD_VARIABLES = {
  DASHBOARD_USER: z.string().optional(),
  DASHBOARD_PASSWORD: z.string().optional(),
  DASHBOARD_PASSWORD_HASH: passwordHash.optional(),
  DASHBOARD_VIEWER_USER: z.string().optional(),
  DASHBOARD_VIEWER_PASSWORD: z.string().optional(),
  DASHBOARD_VIEWER_PASSWORD_HASH: passwordHash.optional(),
  DASHBOARD_TOKEN: token.optional(),
  DASHBOARD_VIEWER_TOKEN: token.optional(),
  DASHBOARD_OPEN: open.optional(),
  DASHBOARD_TLS_CERT_FILE: z.string().optional(),
  DASHBOARD_TLS_KEY_FILE: z.string().optional(),
  DASHBOARD_TRUSTED_PROXIES: proxies.optional(),
};

export const DASHBOARD_SECRETS = [
  'DASHBOARD_PASSWORD',
  'DASHBOARD_PASSWORD_HASH',
  'DASHBOARD_VIEWER_PASSWORD',
  'DASHBOARD_VIEWER_PASSWORD_HASH',
  'DASHBOARD_TOKEN',
  'DASHBOARD_VIEWER_TOKEN',
];

type Given = Partial<z.output<z.ZodObject<typeof DASHBOARD_VARIABLES>>> & {
  readonly DASHBOARD_HOST?: string | undefined;
};

/** Variables that were wrong by themselves are absent from `data`, and counted in `env`. */
export function dashboardConfig(
  data: Given,
  env: Env,
  faults: Faults,
): Omit<DashboardConfig, 'host' | 'port'> {
  judgeLogin('DASHBOARD', env, faults);
  judgeLogin('DASHBOARD_VIEWER', env, faults);
  judgeTogether(data, env, faults);
  return {
    login: loginOf(data.DASHBOARD_USER, data.DASHBOARD_PASSWORD, data.DASHBOARD_PASSWORD_HASH),
    viewer: loginOf(
      data.DASHBOARD_VIEWER_USER,
      data.DASHBOARD_VIEWER_PASSWORD,
      data.DASHBOARD_VIEWER_PASSWORD_HASH,
    ),
    token: data.DASHBOARD_TOKEN,
    viewerToken: data.DASHBOARD_VIEWER_TOKEN,
    open: data.DASHBOARD_OPEN,
    tls: tlsOf(data, faults),
    trustedProxies: data.DASHBOARD_TRUSTED_PROXIES,
  };
}

function judgeLogin(prefix: 'DASHBOARD' | 'DASHBOARD_VIEWER', env: Env, faults: Faults): void {
  const has = (what: string) => env[`${prefix}_${what}`] !== undefined;
  if (has('PASSWORD') && has('PASSWORD_HASH')) {
    faults.add(
      `${prefix}_PASSWORD_HASH`,
      `either ${prefix}_PASSWORD or ${prefix}_PASSWORD_HASH, not both`,
    );
  }
  if (has('USER') !== (has('PASSWORD') || has('PASSWORD_HASH'))) {
    faults.add(`${prefix}_PASSWORD`, `${prefix}_USER and ${prefix}_PASSWORD go together`);
  }
}

function judgeTogether(data: Given, env: Env, faults: Faults): void {
  const { DASHBOARD_USER: user, DASHBOARD_VIEWER_USER: viewer, DASHBOARD_HOST: host } = data;
  if (user !== undefined && user === viewer) {
    faults.add('DASHBOARD_VIEWER_USER', 'the same as DASHBOARD_USER; give the viewer another name');
  }
  // HTTP Basic ends a user's name at the first colon.
  for (const name of ['DASHBOARD_USER', 'DASHBOARD_VIEWER_USER'] as const) {
    if (data[name]?.includes(':')) faults.add(name, 'expected a name without a colon');
  }
  for (const name of ['DASHBOARD_VIEWER_USER', 'DASHBOARD_TOKEN', 'DASHBOARD_VIEWER_TOKEN']) {
    if (env[name] !== undefined && user === undefined) {
      faults.add(
        name,
        'needs DASHBOARD_USER and DASHBOARD_PASSWORD as well: without them nobody is asked for a login',
      );
    }
  }
  if (data.DASHBOARD_TOKEN !== undefined && data.DASHBOARD_TOKEN === data.DASHBOARD_VIEWER_TOKEN) {
    faults.add('DASHBOARD_VIEWER_TOKEN', 'the same as DASHBOARD_TOKEN; give viewers another one');
  }
  const isGuarded =
    user !== undefined &&
    (env['DASHBOARD_PASSWORD'] !== undefined || env['DASHBOARD_PASSWORD_HASH'] !== undefined);
  if (!isGuarded && host !== undefined && !isLoopback(host)) {
    faults.add(
      'DASHBOARD_HOST',
      'listening beyond loopback needs DASHBOARD_USER and DASHBOARD_PASSWORD',
    );
  }
}

const isLoopback = (host: string): boolean =>
  host === 'localhost' || host === '::1' || /^127(?:\.\d+){3}$/.test(host);

function loginOf(
  user: string | undefined,
  password: string | undefined,
  hash: string | undefined,
): Login | undefined {
  if (user === undefined) return undefined;
  if (password !== undefined) return { user, password };
  return hash === undefined ? undefined : { user, passwordHash: hash };
}

function tlsOf(data: Given, faults: Faults): DashboardConfig['tls'] {
  const { DASHBOARD_TLS_CERT_FILE: certFile, DASHBOARD_TLS_KEY_FILE: keyFile } = data;
  if ((certFile === undefined) !== (keyFile === undefined)) {
    faults.add(
      'DASHBOARD_TLS_CERT_FILE',
      'DASHBOARD_TLS_CERT_FILE and DASHBOARD_TLS_KEY_FILE go together',
    );
  }
  if (certFile === undefined || keyFile === undefined) return undefined;
  const cert = readOrFault('DASHBOARD_TLS_CERT_FILE', certFile, faults);
  const key = readOrFault('DASHBOARD_TLS_KEY_FILE', keyFile, faults);
  return cert === undefined || key === undefined ? undefined : { cert, key };
}

/** Everything that only those may know who log in. */
export const dashboardSecrets = ({
  login,
  viewer,
  token: operatorToken,
  viewerToken,
  tls,
}: DashboardConfig): (string | undefined)[] => [
  ...[login, viewer].map((one) => one && secretOf(one)),
  operatorToken,
  viewerToken,
  tls?.key,
];

/** The password, or the hash that stands for it. */
export const secretOf = (login: Login): string =>
  'password' in login ? login.password : login.passwordHash;
