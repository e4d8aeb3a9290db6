import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { type DashboardConfig, type Login, secretOf } from '@vm-sync/runtime';
import type { Person } from '../http/person.ts';

/** One who may log in. */
export interface Account {
  readonly login: Login;
  readonly person: Person;
}

/** Those of the configuration; the operator first. */
export const accountsOf = ({ login, viewer }: DashboardConfig): Account[] => [
  ...(login === undefined ? [] : [{ login, person: personFor(login, 'operator') }]),
  ...(viewer === undefined ? [] : [{ login: viewer, person: personFor(viewer, 'viewer') }]),
];

const personFor = ({ user }: Login, role: Person['role']): Person => ({ name: user, role });

/** Whose bearer token it is. Digests have one length, so that comparing them tells nothing of a token's. */
export function tokenCheck({
  token,
  viewerToken,
}: DashboardConfig): (given: string) => Person | undefined {
  const digest = keyedDigest();
  const known = [
    { token, person: { name: 'bearer token (operator)', role: 'operator' } },
    { token: viewerToken, person: { name: 'bearer token (viewer)', role: 'viewer' } },
  ] as const;
  const wanted = known.flatMap(({ token, person }) =>
    token === undefined ? [] : [{ digest: digest(token), person }],
  );
  return (given) => {
    const of = digest(given);
    return wanted.filter((one) => timingSafeEqual(one.digest, of))[0]?.person;
  };
}

/** Digests that mean something in this process only. */
export function keyedDigest(): (...texts: string[]) => Buffer {
  const key = randomBytes(32);
  return (...texts) => createHmac('sha256', key).update(JSON.stringify(texts)).digest();
}

/** Ties a session to a password: only who holds the session's token can compute it, or try passwords against it. */
export const sessionProof = (token: string, login: Login): string =>
  createHmac('sha256', token)
    .update(JSON.stringify([login.user, secretOf(login)]))
    .digest('base64url');
