/**
 * The keys of a config.ini while they are carried over. Each is taken or left with a reason, once; what nobody looked at
 * is left at the end, so that none can get lost.
 */
import type { IniEntry } from './import-ini.js';
import { reasonFor } from './import-reasons.js';

export interface CarriedKey {
  /** `p2p.node.0` */
  readonly key: string;
  readonly value: string;
  /** `p2p.nodes[0]` */
  readonly to: string;
}

export interface LeftOutKey {
  readonly key: string;
  readonly value: string;
  /** Continues the key: "is about the ledger, …". */
  readonly reason: string;
}

export interface ImportProblem {
  /** In the config.ini, from 1. */
  readonly line?: number | undefined;
  readonly message: string;
}

/** Names that nodes accept beside the usual ones. */
const SECTION_ALIASES: Readonly<Record<string, string>> = {
  secure: 'network_security',
  crl: 'certificate_blacklist',
  cal: 'certificate_whitelist',
};

export class ImportRun {
  readonly carried: CarriedKey[] = [];
  readonly leftOut: LeftOutKey[] = [];
  readonly problems: ImportProblem[] = [];
  /** What the operator should know or do. */
  readonly remarks: string[] = [];
  readonly #pending: Map<string, IniEntry>;

  constructor(entries: readonly IniEntry[]) {
    this.#pending = new Map(
      entries.map((entry) => [`${SECTION_ALIASES[entry.section] ?? entry.section}.${entry.key}`, entry]),
    );
  }

  /** The value of `section.key` while nobody has taken it. An empty value counts as none, as it does in a node. */
  peek(name: string): string | undefined {
    const value = this.#pending.get(name)?.value;
    return value === '' ? undefined : value;
  }

  take(name: string, to: string): string | undefined {
    const value = this.peek(name);
    if (value === undefined) return undefined;
    this.carried.push({ key: this.#remove(name), value, to });
    return value;
  }

  leave(name: string, reason: string): void {
    const value = this.#pending.get(name)?.value;
    if (value === undefined) return;
    this.leftOut.push({ key: this.#remove(name), value, reason });
  }

  /** What the value should have been. */
  refuse(name: string, message: string): void {
    const line = this.#pending.get(name)?.line;
    this.problems.push({ line, message: `${name}: ${message}` });
  }

  /** `node.0`, `node.1`, … of a section, in the order of the file. */
  namesOf(section: string, prefix: string): string[] {
    return [...this.#pending.keys()].filter((name) => name.startsWith(`${section}.${prefix}.`));
  }

  /** Everything else, each with its reason. */
  leaveRest(): void {
    for (const name of [...this.#pending.keys()]) {
      const dot = name.indexOf('.');
      const empty = this.#pending.get(name)?.value === '';
      this.leave(name, empty ? 'is empty' : reasonFor(name.slice(0, dot), name.slice(dot + 1)));
    }
  }

  #remove(name: string): string {
    const entry = this.#pending.get(name);
    this.#pending.delete(name);
    return entry === undefined || entry.section === '' ? name : `${entry.section}.${entry.key}`;
  }
}

/** A port of the file, or the node's own default. */
export function takePort(run: ImportRun, name: string, to: string, fallback: number): number {
  const value = run.peek(name);
  if (value === undefined) return fallback;
  const port = /^\d{1,5}$/.test(value) ? Number(value) : 0;
  if (port < 1 || port > 65_535) {
    run.refuse(name, `${JSON.stringify(value)} is no port from 1 to 65535`);
    return fallback;
  }
  run.take(name, to);
  return port;
}

/** As the node reads it; anything else than these stops it. */
export function isTrue(run: ImportRun, name: string): boolean {
  const value = run.peek(name);
  if (value === undefined || value === 'false' || value === '0') return false;
  if (value === 'true' || value === '1') return true;
  run.refuse(name, `${JSON.stringify(value)} is neither true nor false`);
  return false;
}
