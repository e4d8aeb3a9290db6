/** The same message at most once per `everyMs`: a lost connection reports itself many times a second. */
export function oncePer<More extends readonly unknown[]>(
  everyMs: number,
  act: (message: string, ...more: More) => void,
): (message: string, ...more: More) => void {
  const toldMs = new Map<string, number>();
  return (message, ...more) => {
    const nowMs = Date.now();
    for (const [told, atMs] of toldMs) if (nowMs - atMs >= everyMs) toldMs.delete(told);
    if (toldMs.has(message)) return;
    toldMs.set(message, nowMs);
    act(message, ...more);
  };
}
