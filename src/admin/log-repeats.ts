/**
 * Bounds how often one line repeats: what clients provoke must not fill a disk. Lines are the same when level, component,
 * message and close reason or code are; the fields of one connection do not count.
 *
 * Invariant: entries stand in the order in which their windows began, so only the first ones can have ended.
 */

/** What makes two lines the same. */
export interface LineKind {
  readonly level: string;
  readonly component: string;
  readonly message: string;
  readonly reason: string;
}

export interface Suppressed extends LineKind {
  readonly suppressed: number;
}

/** Lines of one kind in a window, and its length: ten a second tell the story of any trouble. */
const LINES_PER_WINDOW_MAX = 100;
const WINDOW_MS = 10_000;
/** Kinds remembered; the relay has a few dozen, each with at most a dozen reasons. */
const KINDS_MAX = 512;

interface Window {
  readonly kind: LineKind;
  readonly startMs: number;
  lines: number;
}

export class RepeatLimit {
  readonly #windows = new Map<string, Window>();

  /** Call `expire` first: a window that has ended counts on. */
  allows(kind: LineKind, nowMs: number): boolean {
    const key = `${kind.level}\n${kind.component}\n${kind.message}\n${kind.reason}`;
    const window = this.#windows.get(key);
    if (window !== undefined) return ++window.lines <= LINES_PER_WINDOW_MAX;
    if (this.#windows.size >= KINDS_MAX) return true;
    this.#windows.set(key, { kind, startMs: nowMs, lines: 1 });
    return true;
  }

  /** Forgets the windows that ended and tells what they suppressed. `nowMs` of Infinity ends all. */
  expire(nowMs: number): Suppressed[] {
    const ended: Suppressed[] = [];
    for (const [key, { kind, startMs, lines }] of this.#windows) {
      if (nowMs - startMs < WINDOW_MS) break;
      this.#windows.delete(key);
      if (lines > LINES_PER_WINDOW_MAX) ended.push({ ...kind, suppressed: lines - LINES_PER_WINDOW_MAX });
    }
    return ended;
  }
}
