import { formatDuration, formatShare } from '@vm-sync/core';
import { paintOn } from '@vm-sync/runtime';
import { bar, textWidth } from './terminal.ts';

/** What goes on, and its share from 0 to 1; null where nobody knows. */
export interface Going {
  readonly act: string;
  readonly share: number | null;
}

/** Told how far something is, as often as one likes. */
export type Report = (going: Going) => void;

const REDRAW_MS = 250;
const BAR_COLUMNS = 24;

/** `proving  ███████▌       31 %  12s`, no longer than the terminal is wide. */
export function progressText({ act, share }: Going, sinceMs: number, columns: number): string {
  const since = sinceMs < 1e3 ? '0s' : formatDuration(Math.floor(sinceMs / 1e3) * 1e3);
  const wide = share === null ? act : `${act}  ${bar(share, BAR_COLUMNS)}  ${formatShare(share)}`;
  const narrow = share === null ? act : `${act}  ${formatShare(share)}`;
  const [text = ''] = [`${wide}  ${since}`, `${narrow}  ${since}`, narrow].filter(
    (one) => textWidth(one) < columns,
  );
  return text;
}

/**
 * Shows on standard error what is going on while people wait for it, and wipes it out afterwards. Where that is no terminal
 * nothing is shown.
 */
export async function showing<T>(
  act: (report: Report) => Promise<T>,
  stream: NodeJS.WriteStream = process.stderr,
): Promise<T> {
  if (!stream.isTTY) return act(() => {});
  const paint = paintOn(stream);
  const startedMs = performance.now();
  let going: Going | undefined;
  const draw = (): void => {
    if (!going) return;
    const text = progressText(going, performance.now() - startedMs, stream.columns || 80);
    stream.write(`\r\x1b[2K${paint('cyan', text)}`);
  };
  const timer = setInterval(draw, REDRAW_MS);
  try {
    return await act((now) => {
      const isNew = going?.act !== now.act;
      going = now;
      if (isNew) draw();
    });
  } finally {
    clearInterval(timer);
    if (going) stream.write('\r\x1b[2K');
  }
}
