import type { Request } from 'express';

/** Who acts, and whether they may change anything. */
export interface Person {
  readonly name: string;
  readonly role: 'viewer' | 'operator';
  /** Came in by the login page, and may log out. */
  readonly session?: true;
}

/** Whoever sits at this machine, where there is no login. */
const LOCAL: Person = { name: 'local (no login)', role: 'operator' };

const PERSONS = new WeakMap<Request, Person>();

/** Told by the guard that let a request in. */
export function rememberPerson(request: Request, person: Person): void {
  PERSONS.set(request, person);
}

export const personOf = (request: Request): Person => PERSONS.get(request) ?? LOCAL;
