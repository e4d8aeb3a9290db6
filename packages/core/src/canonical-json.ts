/**
 * One text for one value: keys in the order of their code units, no white space, what is undefined left out (as in RFC 8785,
 * and as `jq -cS` prints it). A digest of it can be computed again by anybody.
 */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_, part: unknown) => {
    if (typeof part !== 'object' || part === null || Array.isArray(part)) return part;
    const entries = Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1));
    return Object.fromEntries(entries);
  });
}
