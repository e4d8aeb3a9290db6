/** The same message at most once per `everyMs`: a lost connection reports itself many times a second. */
export function oncePer(
  everyMs: number,
  act: (message: string) => void,
): (message: string) => void {
  const toldMs = new Map<string, number>();
  return (message) => {
    const nowMs = Date.now();
    for (const [told, atMs] of toldMs) if (nowMs - atMs >= everyMs) toldMs.delete(told);
    if (toldMs.has(message)) return;
    toldMs.set(message, nowMs);
    act(message);
  };
}
