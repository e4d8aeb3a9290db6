const UNITS_MS = { ms: 1, s: 1e3, m: 6e4, h: 36e5, d: 864e5, w: 6048e5, y: 31_536e6 } as const;

/** As long as a date can reach: nothing that is longer can be counted with, or told to a timer. */
const LONGEST_MS = 8.64e15;

/** Milliseconds of `90s`, `2m`, `1h30m`, `90d` or of a bare number of seconds; undefined for anything else. */
export function parseDurationMs(text: string): number | undefined {
  const ms = readMs(text.trim());
  return ms !== undefined && ms <= LONGEST_MS ? ms : undefined;
}

function readMs(trimmed: string): number | undefined {
  if (/^\d+(?:\.\d+)?$/.test(trimmed)) return Math.round(Number(trimmed) * 1e3);
  if (!/^(?:\d+(?:\.\d+)?(?:ms|[smhdwy]))+$/.test(trimmed)) return undefined;
  let totalMs = 0;
  for (const [, amount, unit] of trimmed.matchAll(/(\d+(?:\.\d+)?)(ms|[smhdwy])/g)) {
    totalMs += Number(amount) * UNITS_MS[unit as keyof typeof UNITS_MS];
  }
  return Math.round(totalMs);
}

/** `2d 1h`, `4m 10s`, `1.5s`, `40ms`: at most two units, for people. */
export function formatDuration(ms: number): string {
  if (ms < 1e3) return `${Math.round(ms)}ms`;
  if (ms < 1e4 && ms % 1e3 !== 0) return `${(ms / 1e3).toFixed(1)}s`;
  let restMs = Math.round(ms / 1e3) * 1e3;
  const parts: string[] = [];
  for (const unit of ['d', 'h', 'm', 's'] as const) {
    const amount = Math.floor(restMs / UNITS_MS[unit]);
    restMs -= amount * UNITS_MS[unit];
    if (amount > 0) parts.push(`${amount}${unit}`);
  }
  return parts.slice(0, 2).join(' ');
}
