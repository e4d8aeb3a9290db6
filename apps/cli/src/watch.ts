import { setTimeout as sleep } from 'node:timers/promises';
import { forOutput, outputClosed } from './output.ts';
import { newLines } from './terminal.ts';

/** Looks again and again, until a person has seen enough: Ctrl-C, SIGTERM, or a reader that is gone. */
export async function watching(
  everyMs: number,
  look: () => Promise<'go on' | 'done'>,
): Promise<void> {
  const ending = new AbortController();
  const end = (): void => ending.abort();
  process.once('SIGINT', end).once('SIGTERM', end);
  const signal = AbortSignal.any([ending.signal, outputClosed]);
  try {
    while (!signal.aborted && (await look()) === 'go on') {
      await sleep(everyMs, undefined, { signal }).catch(() => {});
    }
  } finally {
    process.off('SIGINT', end).off('SIGTERM', end);
  }
}

/** Where watched lines are shown. */
export interface Board {
  show(lines: readonly string[]): void;
  end(): void;
}

const ENTER = '\x1b[?1049h\x1b[?25l\x1b[H';
const LEAVE = '\x1b[?25h\x1b[?1049l';

/**
 * On a terminal one screen, drawn anew each time, whose last state stays when it ends; anywhere else only the lines that
 * are new.
 */
export function openBoard(stream: NodeJS.WriteStream = process.stdout): Board {
  let before: readonly string[] = [];
  if (!stream.isTTY) {
    return {
      show(lines) {
        const told = newLines(before, lines);
        if (told.length > 0) stream.write(`${forOutput(told.join('\n'))}\n`);
        before = lines;
      },
      end() {},
    };
  }
  stream.write(ENTER);
  return {
    show(lines) {
      before = lines;
      const shown = fitting(lines, stream.rows || 24);
      stream.write(`\x1b[H${shown.map((line) => `${forOutput(line)}\x1b[K\n`).join('')}\x1b[J`);
    },
    end() {
      stream.write(`${LEAVE}${before.map((line) => `${forOutput(line)}\n`).join('')}`);
    },
  };
}

/** What stands first is what matters most; a screen that is too low says what it does not show. */
export function fitting(lines: readonly string[], rows: number): string[] {
  const room = rows - 1;
  if (lines.length <= room) return [...lines];
  const shown = lines.slice(0, Math.max(1, room - 1));
  return [...shown, `… ${lines.length - shown.length} more lines: make the window higher`];
}
