/**
 * Things by name, bounded in number and forgotten when idle.
 *
 * The list is ordered by the last use. Links stand in the entries, so that a use costs no allocation; a Map that is deleted from
 * and set again, to keep its order, costs several times as much.
 */
export interface Linked<T> {
  next: T | undefined;
  previous: T | undefined;
}

/** Intrusive doubly linked list; an element is in at most one. */
export class LinkedList<T extends Linked<T>> {
  head: T | undefined = undefined;
  #tail: T | undefined = undefined;
  size = 0;

  append(element: T): void {
    element.previous = this.#tail;
    element.next = undefined;
    if (this.#tail) this.#tail.next = element;
    else this.head = element;
    this.#tail = element;
    this.size++;
  }

  remove(element: T): void {
    const { next, previous } = element;
    if (previous) previous.next = next;
    else this.head = next;
    if (next) next.previous = previous;
    else this.#tail = previous;
    element.next = undefined;
    element.previous = undefined;
    this.size--;
  }

  toTail(element: T): void {
    if (element === this.#tail) return;
    this.remove(element);
    this.append(element);
  }
}

export interface RecentEntry<T> extends Linked<T> {
  readonly name: string;
  usedMs: number;
  /** Set when the entry was dropped: whoever kept it must ask for the name again. */
  forgotten: boolean;
  /** Nothing is lost when the entry is made anew. */
  isBlank(nowMs: number): boolean;
}

/** Without a use for this long an entry may go; longer than any message takes to be answered. */
const IDLE_MS = 60_000;

export class RecentEntries<T extends RecentEntry<T>> {
  readonly #byName = new Map<string, T>();
  readonly #byUse = new LinkedList<T>();
  readonly #entriesMax: number;
  readonly #onForgotten: (entry: T) => void;

  constructor(entriesMax: number, onForgotten: (entry: T) => void) {
    this.#entriesMax = entriesMax;
    this.#onForgotten = onForgotten;
  }

  get size(): number {
    return this.#byUse.size;
  }

  get(name: string): T | undefined {
    return this.#byName.get(name);
  }

  /** Adds an entry under a new name, in place of the one unused for longest when there are too many. */
  add(entry: T, nowMs: number): void {
    if (this.size >= this.#entriesMax && this.#byUse.head) this.#forget(this.#byUse.head);
    entry.usedMs = nowMs;
    this.#byName.set(entry.name, entry);
    this.#byUse.append(entry);
  }

  /** Notes a use, and looks at one entry that may have become idle: as many go as come, without a timer. */
  use(entry: T, nowMs: number): void {
    entry.usedMs = nowMs;
    this.#byUse.toTail(entry);
    const oldest = this.#byUse.head;
    if (!oldest || nowMs - oldest.usedMs < IDLE_MS) return;
    if (oldest.isBlank(nowMs)) this.#forget(oldest);
    else this.#byUse.toTail(oldest);
  }

  #forget(entry: T): void {
    this.#byName.delete(entry.name);
    this.#byUse.remove(entry);
    entry.forgotten = true;
    this.#onForgotten(entry);
  }
}
