/**
 * Notices that the npm that started us is gone. npm passes SIGTERM and SIGINT on, but nobody passes on its death; and
 * between it and us stands a shell, which outlives it without a word.
 */
import { readFileSync } from 'node:fs';

const CHECK_MS = 500;

/** Whether `npm start` runs this process. */
export function underNpm(): boolean {
  return process.env.npm_lifecycle_event === 'start';
}

/** Calls `onGone` once when our parent, or where it can be seen its parent, has changed. Does not keep the process alive. */
export function watchNpm(onGone: () => void): void {
  const before = ancestry();
  const timer = setInterval(() => {
    if (ancestry() === before) return;
    clearInterval(timer);
    onGone();
  }, CHECK_MS);
  timer.unref();
}

function ancestry(): string {
  const parent = process.ppid;
  return `${parent} ${parentOf(parent) ?? 'unknown'}`;
}

/** Linux only; elsewhere the parent alone has to do. */
function parentOf(pid: number): string | undefined {
  try {
    return /^PPid:\s*(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  } catch {
    return undefined;
  }
}
