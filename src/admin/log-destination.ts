/**
 * Standard output as the log's destination: every line is written before `write` returns, so none is lost at exit.
 *
 * A reader that stopped reading must not stop the relay: a pipe that stays full for the stall time costs that once; from
 * then on lines that find it full are dropped and counted, and the count is written when there is room again. A closed
 * pipe or a full disk drops lines as well; a log must never end the process.
 */
import { writeSync } from 'node:fs';

export interface LogDestination {
  /** Takes one line with its end. Never throws. */
  write(line: string): void;
}

/** Writes bytes and returns how many were taken; throws an error with `code` as fs.writeSync does. */
export type WriteBytes = (bytes: Uint8Array) => number;

/** How long the relay waits, once, for a reader that is behind: a busy log shipper catches up, a dead one does not. */
const STALL_MS_MAX = 500;
const RETRY_MS = 5;

export function createFdDestination(fd = 1): LogDestination {
  return createBlockingDestination((bytes) => writeSync(fd, bytes), sleep);
}

export function createBlockingDestination(write: WriteBytes, wait: (ms: number) => void): LogDestination {
  let stalled = false;
  let dropped = 0;

  /** True when all bytes were taken. A rest that finds no room is lost, and with it the end of the line. */
  const writeAll = (bytes: Uint8Array): boolean => {
    let rest = bytes;
    let waitedMs = 0;
    while (rest.length > 0) {
      try {
        rest = rest.subarray(write(rest));
        continue;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') return false;
      }
      // The rest of a line that has begun is worth the wait even behind a stalled reader: half a line is no JSON.
      if ((stalled && rest === bytes) || waitedMs >= STALL_MS_MAX) {
        stalled = true;
        return false;
      }
      wait(RETRY_MS);
      waitedMs += RETRY_MS;
    }
    return true;
  };

  return {
    write(line) {
      const notice = dropped === 0 ? '' : droppedText(dropped);
      if (writeAll(Buffer.from(notice + line))) {
        stalled = false;
        dropped = 0;
      } else {
        dropped++;
      }
    },
  };
}

function droppedText(dropped: number): string {
  const ts = new Date().toISOString();
  // A line may have been cut: start on a new one.
  return `\n${JSON.stringify({ level: 'warn', ts, component: 'log', dropped, msg: 'log lines lost, the reader was too slow' })}\n`;
}

/** Blocks the thread: the lines must leave in order, and before a process.exit. */
function sleep(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}
