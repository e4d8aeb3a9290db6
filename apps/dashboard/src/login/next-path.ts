const LONGEST = 2_000;

/** Where to go after the login: a path of this site, or the status page when it is anything else. */
export function nextPath(wanted: unknown): string {
  if (typeof wanted !== 'string' || wanted.length > LONGEST) return '/';
  // Browsers read \ as /, and drop tabs and line ends: //elsewhere is another host.
  if (!/^\/(?![/\\])[\x21-\x5b\x5d-\x7e]*$/.test(wanted)) return '/';
  return /^\/(?:login|logout)(?:[/?#]|$)/i.test(wanted) ? '/' : wanted;
}

export const loginPath = (next: string): string =>
  nextPath(next) === '/' ? '/login' : `/login?next=${encodeURIComponent(next)}`;
