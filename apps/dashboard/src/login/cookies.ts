import type { Site } from '@vm-sync/core';

/**
 * Cookies know hosts, not ports: both sites' dashboards on one machine must not take each other's. With the prefix a
 * browser takes the cookie over TLS only, and from this very host.
 */
export const cookieName = (role: Site, isTls: boolean): string =>
  `${isTls ? '__Host-' : ''}vmsync-${role}`;

/** The first value of that name in a `Cookie` header. */
export function readCookie(header: string | undefined, name: string): string | undefined {
  for (const pair of (header ?? '').split(';')) {
    const [found, ...value] = pair.trim().split('=');
    if (found === name) return value.join('=');
  }
  return undefined;
}
